import { tryCommand } from '../../command.ts';
import { kubectl } from '../../kubectl.ts';
import { applyThings, type Context, expectSoon, findThing, getThing } from '../context.ts';
import { runInVm } from '../vms.ts';
import { formatTold, TOLD } from './manifests.ts';
import { findMissingInGuest, isReachable, listNics, type NicFacts } from './nics.ts';

/** A guest with many NICs and no DHCP client, as the report has it. */
export type Told = {
  vm: string;
  /** Processes of DHCP clients in the guest. */
  dhcpClients: number;
  nics: (NicFacts & { inGuest: boolean; reachable: boolean })[];
};

/** KubeVirt serves hook sidecars only with it. */
export const SIDECAR_GATE = 'Sidecar';
const SIDECARS = 'hooks.kubevirt.io/hookSidecars';
const KUBEVIRT = ['-n', 'kubevirt', 'kubevirt', 'kubevirt'] as const;

/** Adds one of KubeVirt's feature gates; gives what puts them back as they were. */
export async function addGate(context: Context, gate: string): Promise<() => Promise<void>> {
  const { spec } = await getThing(context, 'kubevirt', 'kubevirt', 'kubevirt');
  const before: string[] = spec?.configuration?.developerConfiguration?.featureGates ?? [];
  const set = async (featureGates: readonly string[]) => {
    const body = { spec: { configuration: { developerConfiguration: { featureGates } } } };
    await kubectl(context.lab, ['patch', ...KUBEVIRT, '--type=merge', '-p', JSON.stringify(body)]);
  };
  await set([...new Set([...before, gate])]);
  return () => set(before);
}

/** Awaits that the webhook, which may just have been started, knows NADs and KubeVirt's feature gates. */
export async function expectSidecar(context: Context, vm: object): Promise<void> {
  const { bin, adminKubeconfig } = context.lab;
  const argv = [bin.kubectl, '--kubeconfig', adminKubeconfig, 'apply', '--dry-run=server', '-o', 'json', '-f', '-'];
  await expectSoon('the webhook puts the sidecar in', 60, async () => {
    const { code, stdout } = await tryCommand(argv, { input: JSON.stringify(vm) });
    return code === 0 && stdout.includes(SIDECARS) ? true : undefined;
  });
}

/** Starts the guest and looks at what it has; `pod` is on its networks. */
export async function tellTold(context: Context, pod: string): Promise<Told> {
  context.say('a guest with two NICs and no DHCP client, configured by cloud-init data from its LogicalPorts');
  const putBack = await addGate(context, SIDECAR_GATE);
  try {
    await expectSidecar(context, formatTold());
    await applyThings(context, [formatTold()]);
    const told = await lookAtTold(context, pod);
    const nics = told.nics.map(
      ({ nic, ips, reachable }) => `${nic} ${ips.join(' ')} ${reachable ? 'answers' : 'SILENT'}`,
    );
    context.say(`  ${nics.join('; ')}; ${told.dhcpClients} DHCP clients in it`);
    return told;
  } finally {
    await putBack();
  }
}

async function lookAtTold(context: Context, pod: string): Promise<Told> {
  await expectSoon(`VM ${TOLD} running`, 90, async () =>
    (await findThing(context, 'vmi', TOLD))?.status?.phase === 'Running' ? true : undefined,
  );
  const facts = await listNics(context, TOLD);
  const missing = await findMissingInGuest(context, TOLD, facts);
  const { output } = await runInVm(context, TOLD, 'ps | grep -c "[u]dhcpc"');
  const reachable = await Promise.all(facts.map(({ ips }) => isReachable(context, pod, ips)));
  return {
    vm: TOLD,
    dhcpClients: Number.parseInt(output, 10),
    nics: facts.map((nic, at) => ({
      ...nic,
      inGuest: missing.every((what) => !what.startsWith(`${TOLD} ${nic.nic}:`)),
      reachable: reachable[at] === true,
    })),
  };
}

/** Promises about the guest that do not hold, as sentences. */
export function checkTold({ vm, dhcpClients, nics }: Told): string[] {
  return [
    ...(nics.length < 2 ? [`${vm} has ${nics.length} NICs instead of two`] : []),
    ...(dhcpClients === 0 ? [] : [`${vm} was to come up without a DHCP client and has ${dhcpClients}`]),
    ...nics.flatMap(({ nic, ips, inGuest, reachable }) => {
      const name = `NIC ${nic} of ${vm} (${ips.join(' ')})`;
      return [
        ...(inGuest ? [] : [`${name} was not configured by cloud-init data`]),
        ...(reachable ? [] : [`${name} was not reached from its network`]),
      ];
    }),
  ];
}
