import { CLUSTER_UID, PORT_UID } from '../../api/annotations.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { LauncherRecord } from '../../migration/input.ts';

type Owner = LogicalPort['spec']['owner'];

/** The lives that stand behind one name: `<namespace>/<name>` of a VM or VMI, or of a pod. */
export type Lives = {
  /** The VM of that name. */
  readonly vm?: { readonly uid: string; readonly deleting: boolean };
  /** The VMI of that name, with the VM that controls it. */
  readonly vmi?: { readonly uid: string; readonly deleting: boolean; readonly vmUid?: string };
  /** Launchers of any life, present in the API. */
  readonly launchers: readonly LauncherRecord[];
  readonly pod?: { readonly uid: string; readonly deleting: boolean; readonly final: boolean };
  /** False while we cannot see VMs and VMIs at all: then nothing of theirs may be released. */
  readonly kubevirtKnown: boolean;
  /** UID of the namespace kube-system: ports that name another one come from a backup. */
  readonly clusterUid?: string;
};

/**
 * The pods that are launchers for sure. Anybody who may create pods can write an owner reference and labels, so a pod
 * counts only when KubeVirt itself lists it in the VMI's `status.activePods`, or, for a VMI that is not there any more,
 * when it holds one of the ports already.
 */
export function listTrustedLaunchers(
  launchers: readonly LauncherRecord[],
  vmi: { readonly uid: string; readonly activePods: readonly string[] } | undefined,
  ports: readonly LogicalPort[],
): LauncherRecord[] {
  const holders = new Set(ports.flatMap((port) => port.spec.attachments?.map((attachment) => attachment.podUID) ?? []));
  const isListed = (pod: LauncherRecord) => vmi?.uid === pod.vmiUid && vmi.activePods.includes(pod.uid);
  return launchers.filter((pod) => isListed(pod) || (vmi?.uid !== pod.vmiUid && holders.has(pod.uid)));
}

/** Whose the ports that are made now will be; undefined when nothing new is to be made. */
export function deriveOwner(name: string, lives: Lives): Owner | undefined {
  const { vm, vmi, pod } = lives;
  if (pod !== undefined) return pod.deleting || pod.final ? undefined : { kind: 'Pod', name, uid: pod.uid };
  if (vm !== undefined) return vm.deleting ? undefined : { kind: 'VirtualMachine', name, uid: vm.uid };
  if (vmi === undefined || vmi.deleting || vmi.vmUid !== undefined) return undefined;
  return { kind: 'VirtualMachineInstance', name, uid: vmi.uid };
}

/**
 * What one existing port is to the lives of its name.
 * - `owned`: its owner is there, by UID.
 * - `adoptable`: its VM is gone, but the VMI it serves runs on and belongs to the VM of that name now.
 * - `held`: its owner is gone, but something of that life still runs; nobody else may have the address.
 * - `restored`: it came back from a backup, and no owner of its kind and name is there yet.
 * - `orphaned`: that life is over for good; the port may be released.
 */
export type Standing = 'owned' | 'adoptable' | 'held' | 'restored' | 'orphaned';

/**
 * Judges by UIDs only: the same name proves nothing, save for a port out of a backup, whose owner has another UID in this
 * cluster than it had. A pod in its final phase has no use for its address any more; one out of a backup is a new pod.
 */
export function deriveStanding(port: LogicalPort, lives: Lives): Standing {
  const { owner } = port.spec;
  if (owner.kind === 'Pod') return isPodAlive(owner, lives) ? 'owned' : 'orphaned';
  return lives.kubevirtKnown ? judgeGuest(port, lives) : 'held';
}

/**
 * The same of one port among those of its name. Nobody holds a port yet that was made for a network, or a NIC, that the
 * next launcher is to have: it stands as those of its owner do that the guest runs on.
 */
export function deriveStandingAmong(port: LogicalPort, ports: readonly LogicalPort[], lives: Lives): Standing {
  const own = deriveStanding(port, lives);
  if (own !== 'orphaned' || port.spec.owner.kind === 'Pod' || (port.spec.attachments ?? []).length > 0) return own;
  const siblings = ports.filter((other) => other !== port && other.spec.owner.uid === port.spec.owner.uid);
  const standings = siblings.map((sibling) => deriveStanding(sibling, lives));
  return standings.find((standing) => standing === 'held' || standing === 'adoptable') ?? own;
}

function judgeGuest(port: LogicalPort, lives: Lives): Standing {
  const { owner } = port.spec;
  if (isOwned(owner, lives)) return 'owned';
  if (isRestored(port, lives.clusterUid)) return hasSuccessor(owner, lives) ? 'adoptable' : 'restored';
  if (!servesVmi(port, lives)) return hasRunningHolder(port, lives) ? 'held' : 'orphaned';
  return isAdoptable(owner, lives) ? 'adoptable' : 'held';
}

const isPodAlive = ({ uid }: Owner, { pod }: Lives): boolean => pod?.uid === uid && !pod.final;

function isOwned(owner: Owner, { vm, vmi }: Lives): boolean {
  return owner.kind === 'VirtualMachine' ? vm?.uid === owner.uid : vmi?.uid === owner.uid;
}

/**
 * True for a port that was made in another cluster, or that was another object before. Where nothing is known of its
 * origin, nothing is said of a backup.
 */
export function isRestored({ metadata }: LogicalPort, clusterUid: string | undefined): boolean {
  const { [CLUSTER_UID]: origin, [PORT_UID]: uid } = metadata.annotations ?? {};
  const isForeign = origin !== undefined && clusterUid !== undefined && origin !== clusterUid;
  return isForeign || (uid !== undefined && metadata.uid !== undefined && uid !== metadata.uid);
}

function hasSuccessor({ kind }: Owner, { vm, vmi }: Lives): boolean {
  if (kind === 'VirtualMachine') return vm !== undefined && !vm.deleting;
  return vmi !== undefined && !vmi.deleting && vmi.vmUid === undefined;
}

/** True when the VMI of that name is of the port's life: the guest that has the address runs in it. */
export function servesVmi(port: LogicalPort, lives: Lives): boolean {
  const { vmi } = lives;
  return vmi !== undefined && (vmi.vmUid === port.spec.owner.uid || isServedBy(port, lives, vmi.uid));
}

function isAdoptable(owner: Owner, { vm, vmi }: Lives): boolean {
  return owner.kind === 'VirtualMachine' && vm !== undefined && vmi?.vmUid === vm.uid;
}

/** True when a launcher of this VMI holds or held the port. */
function isServedBy(port: LogicalPort, lives: Lives, vmiUid: string): boolean {
  const holders = new Set(port.spec.attachments?.map((attachment) => attachment.podUID));
  return lives.launchers.some((launcher) => launcher.vmiUid === vmiUid && holders.has(launcher.uid));
}

function hasRunningHolder(port: LogicalPort, lives: Lives): boolean {
  const holders = new Set(port.spec.attachments?.map((attachment) => attachment.podUID));
  return lives.launchers.some((launcher) => !launcher.final && holders.has(launcher.uid));
}
