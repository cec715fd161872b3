import { type Context, expectSoon, listThings, type Thing } from '../context.ts';
import { NAMESPACE } from '../manifests.ts';
import { ping, ping6 } from '../pods.ts';
import { runInVm } from '../vms.ts';

/** One NIC of the VM as the report has it. */
export type Nic = {
  vm: string;
  nic: string;
  subnet: string;
  ips: string[];
  mac: string;
  reachable: boolean;
  sameAfterRestart: boolean;
  sameAfterMigration: boolean;
};

export type NicFacts = Pick<Nic, 'vm' | 'nic' | 'subnet' | 'ips' | 'mac'>;

/** The NICs of a VM, by its LogicalPorts. */
export async function listNics(context: Context, vm: string): Promise<NicFacts[]> {
  const ports = (await listThings(context, 'lp')).filter(({ spec }) => spec.owner.name === vm);
  return ports.map((port) => describeNic(vm, port)).toSorted((a, b) => (a.nic < b.nic ? -1 : 1));
}

function describeNic(vm: string, { spec }: Thing): NicFacts {
  return { vm, nic: spec.nic as string, subnet: spec.subnet as string, ips: [...spec.ips], mac: spec.mac as string };
}

/** True when both lists have the same NICs with the same addresses. */
export function isSameNic(before: NicFacts, after: readonly NicFacts[]): boolean {
  const found = after.find(({ nic }) => nic === before.nic);
  return JSON.stringify(found) === JSON.stringify(before);
}

/** Awaits that the guest itself bears all addresses and MACs; says what is missing when it does not. */
export async function findMissingInGuest(context: Context, vm: string, nics: readonly NicFacts[]): Promise<string[]> {
  let missing: string[] = [];
  await expectSoon(`all addresses in the guest of ${vm}`, 45, async () => {
    const { output } = await runInVm(context, vm, 'ip addr');
    missing = nics.flatMap(({ nic, ips, mac }) =>
      [...ips.map((ip) => `${ip}/`), mac].flatMap((text) => (output.includes(text) ? [] : [`${vm} ${nic}: ${text}`])),
    );
    return missing.length === 0 ? true : undefined;
  }).catch(() => undefined);
  return missing;
}

/** Pings every address of a NIC from a pod that is on the same network. */
export async function isReachable(context: Context, pod: string, ips: readonly string[]): Promise<boolean> {
  const answers = await Promise.all(ips.map((ip) => (ip.includes(':') ? ping6 : ping)(context, pod, ip)));
  return ips.length > 0 && answers.every(Boolean);
}

/** Address of a pod's interface, as the pod's own network-status has it. */
export async function getStatusIps(context: Context, pod: string, nic: string): Promise<string[]> {
  const things = await listThings(context, 'pods', ['-n', NAMESPACE]);
  const text = things.find(({ metadata }) => metadata.name === pod)?.metadata.annotations?.[STATUS] ?? '[]';
  const list = JSON.parse(text) as { interface?: string; ips?: string[] }[];
  return list.find((item) => item.interface === nic)?.ips ?? [];
}

const STATUS = 'k8s.v1.cni.cncf.io/network-status';
