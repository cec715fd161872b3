import { KUBEVIRT } from '../api/annotations.ts';
import {
  findKubevirtOwner,
  isStorageOnly,
  type Pod,
  type VirtualMachineInstance,
  type VirtualMachineInstanceMigration,
} from '../api/objects.ts';
import type { LauncherRecord, VmiMigrationState, VmimRecord, VmiRecord } from './input.ts';

const FINAL_POD: readonly (string | undefined)[] = ['Succeeded', 'Failed'];

/** Drops undefined members, which `exactOptionalPropertyTypes` does not allow. */
function compact<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}

/** A VMI as migration sees it. */
export function parseVmi(vmi: VirtualMachineInstance): VmiRecord {
  return compact<VmiRecord>({
    uid: vmi.metadata.uid ?? '',
    phase: vmi.status?.phase ?? '',
    nodeName: vmi.status?.nodeName || undefined,
    migrationState: parseMigrationState(vmi.status?.migrationState, vmi.metadata.uid),
    receiver: vmi.metadata.annotations?.[KUBEVIRT.createMigrationTarget] === 'true' ? true : undefined,
  });
}

type RawState = NonNullable<VirtualMachineInstance['status']>['migrationState'];

function parseMigrationState(state: RawState, uid: string | undefined): VmiMigrationState | undefined {
  if (state === undefined) return undefined;
  return compact<VmiMigrationState>({
    migrationUid: state.migrationUid || undefined,
    sourceNode: state.sourceNode || undefined,
    targetNode: state.targetNode || undefined,
    sourcePod: state.sourcePod || undefined,
    targetPod: state.targetPod || undefined,
    domainReady: state.targetNodeDomainReadyTimestamp ? true : undefined,
    completed: state.completed,
    failed: state.failed,
    postCopy: state.mode === 'PostCopy' ? true : undefined,
    foreign: [state.sourceState, state.targetState].some((side) => isForeign(side, uid)) ? true : undefined,
  });
}

type Side = { readonly virtualMachineInstanceUID?: string } | undefined;

const isForeign = (side: Side, uid: string | undefined): boolean =>
  Boolean(side?.virtualMachineInstanceUID) && side?.virtualMachineInstanceUID !== uid;

/** A VMIM as migration sees it. */
export function parseVmim(vmim: VirtualMachineInstanceMigration): VmimRecord {
  const decentralized = vmim.spec?.sendTo !== undefined || vmim.spec?.receive !== undefined;
  return compact<VmimRecord>({
    uid: vmim.metadata.uid ?? '',
    phase: vmim.status?.phase ?? '',
    decentralized: decentralized ? true : undefined,
  });
}

/** A launcher pod; undefined when the pod is not controlled by a VMI. Labels alone make no launcher. */
export function parseLauncher(pod: Pod): LauncherRecord | undefined {
  const owner = findKubevirtOwner(pod.metadata, 'VirtualMachineInstance');
  if (owner === undefined) return undefined;
  return compact<LauncherRecord>({
    uid: pod.metadata.uid ?? '',
    name: pod.metadata.name,
    vmiUid: owner.uid,
    node: pod.spec?.nodeName || undefined,
    migrationJobUid: pod.metadata.labels?.[KUBEVIRT.migrationJobUID] || undefined,
    deleting: pod.metadata.deletionTimestamp !== undefined,
    final: FINAL_POD.includes(pod.status?.phase),
    ephemeral: isStorageOnly(pod.metadata) ? true : undefined,
  });
}
