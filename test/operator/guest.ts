import { formatLauncherInterface, formatLogicalPortName, formatLspName, type PortKey } from '../../src/api/names.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { eventually } from '../../src/kube/testing/eventually.ts';
import { createCast } from './objects.ts';
import { type Stage, until } from './stage.ts';

/** Networks of a guest's NICs: NAD of namespace `a` by NIC; undefined for the pod network. */
export type Nics = Record<string, string | undefined>;

/** A migration that has a target. */
export type Move = {
  readonly uid: string;
  readonly name: string;
  readonly target: string;
  readonly from: string;
  readonly to: string;
};

/** Value of requested-chassis while nobody has a port. */
export const NONE = 'mooring/unattached';
const READY = { targetNodeDomainReadyTimestamp: '2026-11-21T10:48:37Z' };

/** The part of a VMI's spec that has the NICs. */
export const makeSpec = (nics: Nics) => ({
  domain: { devices: { interfaces: Object.keys(nics).map((name) => ({ name, bridge: {} })) } },
  networks: Object.entries(nics).map(([name, networkName]) =>
    networkName === undefined ? { name, pod: {} } : { name, multus: { networkName } },
  ),
});

/** What KubeVirt writes on a launcher; `claims` are IPAMClaims by NIC. */
export const annotate = (nics: Nics, claims: Record<string, string> = {}) => ({
  'k8s.v1.cni.cncf.io/networks': JSON.stringify(
    Object.entries(nics).flatMap(([nic, name]) => {
      if (name === undefined) return [];
      const element = { name, namespace: 'a', interface: formatLauncherInterface(nic) };
      return { ...element, ...(claims[nic] === undefined ? {} : { 'ipam-claim-reference': claims[nic] }) };
    }),
  ),
});

/** VM `a/db` with KubeVirt's part of its life. */
export function createGuest(stage: Stage) {
  const cast = createCast(stage.api);
  let moves = 0;
  const keyOf = (nic: string, madeFor?: string): PortKey => {
    const key = { ownerKind: 'VirtualMachine' as const, namespace: 'a', owner: 'db', nic };
    return madeFor === undefined ? key : { ...key, madeFor };
  };
  const lspOf = (nic: string, madeFor?: string) => formatLspName(keyOf(nic, madeFor));
  const findPort = (nic: string, madeFor?: string) => stage.findPort(`a/${formatLogicalPortName(keyOf(nic, madeFor))}`);
  const whenOn = (lsp: string, chassis: string) =>
    until(`${lsp} on ${chassis}`, async () => {
      const found = (await stage.listLsps()).get(lsp);
      return found?.chassis === chassis ? found : undefined;
    });
  const tell = ({ uid, from, to }: Move, more: object = {}) =>
    cast.setStatus('vmis', 'a/db', {
      migrationState: { migrationUid: uid, sourceNode: from, targetNode: to, ...more },
    });
  return {
    cast,
    lspOf,
    findPort,
    whenOn,
    tell,
    getCondition: (type: string, nic: string, madeFor?: string) =>
      findPort(nic, madeFor)?.status?.conditions?.find((condition) => condition.type === type),
    listLsps: async () => [...(await stage.listLsps()).keys()].filter((name) => name.startsWith('vm/')).toSorted(),
    makeNetworks: async (...names: string[]) => {
      for (const [index, name] of names.entries()) {
        cast.nad(name, { type: 'mooring', provider: `${name}.a.ovn` });
        cast.subnet(name, { cidrBlock: `172.17.${index}.0/24`, provider: `${name}.a.ovn` });
      }
      for (const name of names) {
        await eventually(name, () => stage.findSubnet(name)?.status?.conditions?.[0]?.reason === 'Ready');
      }
    },
    /** It runs on n1, in launcher l1; `asks` are the VM's annotations. */
    run: async (nics: Nics, asks: Record<string, string> = {}, annotations = annotate(nics)) => {
      const vm = cast.vm('db', { spec: makeSpec(nics), annotations: asks });
      const vmi = cast.vmi('db', vm);
      cast.patch('vmis', 'a/db', { spec: makeSpec(nics) });
      cast.launcher('l1', vmi, { node: 'n1', annotations });
      cast.setStatus('vmis', 'a/db', { phase: 'Running', nodeName: 'n1' });
      for (const nic of Object.keys(nics)) await whenOn(lspOf(nic), 'n1');
      return { vm, vmi };
    },
    /** The NICs of the VM and of its guest are from now on these. */
    ask: (nics: Nics) => {
      cast.patch('vms', 'a/db', { spec: { template: { spec: makeSpec(nics) } } });
      cast.patch('vmis', 'a/db', { spec: makeSpec(nics) });
    },
    /** A migration whose target has its launcher. */
    begin: (vmi: KubeObject, nics: Nics, at: Pick<Move, 'from' | 'to'>, annotations = annotate(nics)): Move => {
      moves += 1;
      const name = `m${moves}`;
      const uid = cast.vmim(name, 'db').metadata.uid ?? '';
      cast.launcher(`t${moves}`, vmi, { node: at.to, job: uid, annotations });
      return { uid, name, target: `t${moves}`, ...at };
    },
    /** The guest runs on the target, KubeVirt has not finished yet. */
    activate: (move: Move) => tell(move, READY),
    succeed: (move: Move, source: string) => {
      tell(move, { ...READY, completed: true });
      cast.setStatus('vmis', 'a/db', { nodeName: move.to });
      cast.setStatus('vmims', `a/${move.name}`, { phase: 'Succeeded' });
      cast.setStatus('pods', `a/${source}`, { phase: 'Succeeded' });
    },
    fail: (move: Move) => {
      tell(move, { failed: true });
      cast.setStatus('vmims', `a/${move.name}`, { phase: 'Failed' });
      cast.remove('pods', `a/${move.target}`);
    },
    /** A turn of everything that came before has passed when a later pod has its port. */
    settle: async (name: string) => {
      cast.pod(name);
      await until(name, async () => (await stage.listLsps()).has(`pod/a/${name}/eth0`));
    },
  };
}
