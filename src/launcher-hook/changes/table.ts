/** How a change of a running VM's NIC comes about, by what KubeVirt 1.8 does (facts of KubeVirt, 4.1 and 4.4). */
export type Way = 'now' | 'plug' | 'migration' | 'restart' | 'never';

/** What is changed of one NIC. */
export type What =
  | 'linkState'
  | 'linkStateOfDevice'
  | 'added'
  | 'addedOther'
  | 'addedPrimary'
  | 'unplugged'
  | 'removed'
  | 'network'
  | 'networkUnmoved'
  | 'networkKind'
  | 'mac'
  | 'fields'
  | 'address';

type Entry = { readonly way: Way; readonly say: (detail: string) => string };

const IN_PLACE = 'in place where its node attaches networks, otherwise by a live migration';

/**
 * Every kind of change with what it needs. The first interface is made with the launcher; KubeVirt plugs core bridge and
 * SR-IOV only; of an interface that is there it changes nothing but its link state; our port changes its address when no
 * launcher holds it.
 */
export const TABLE: Readonly<Record<What, Entry>> = {
  linkState: {
    way: 'now',
    say: (state) => `link ${state} at once, in the running guest; port and address stay as they are`,
  },
  linkStateOfDevice: { way: 'never', say: () => 'KubeVirt has no link state for SR-IOV' },
  added: { way: 'plug', say: () => `it comes into the running VM ${IN_PLACE}` },
  addedOther: {
    way: 'restart',
    say: () => 'it needs a restart: KubeVirt plugs only bridge and SR-IOV into a running VM',
  },
  addedPrimary: {
    way: 'restart',
    say: () => "it needs a restart: a launcher's first interface is made when it starts",
  },
  unplugged: { way: 'plug', say: () => `it leaves the running VM ${IN_PLACE}; its address is free when it has left` },
  removed: {
    way: 'restart',
    say: () => 'it stays in the VM until a restart; `state: absent` takes it out of a running one',
  },
  network: {
    way: 'migration',
    say: (nad) => `network ${nad} comes with a live migration; the guest must then ask for its new address itself`,
  },
  networkUnmoved: {
    way: 'restart',
    say: (nad) =>
      `network ${nad} needs a restart; by a live migration it comes from KubeVirt 1.9 on, before with its feature gate LiveUpdateNADRef`,
  },
  networkKind: { way: 'restart', say: () => 'another kind of network needs a restart' },
  mac: { way: 'restart', say: () => 'macAddress needs a restart; until then guest and port keep the MAC they have' },
  fields: { way: 'restart', say: (fields) => `${fields}: a restart is needed, the running guest keeps what it has` },
  address: {
    way: 'restart',
    say: (asked) => `${asked}: given when no launcher holds the port, as at a restart; until then it keeps its own`,
  },
};
