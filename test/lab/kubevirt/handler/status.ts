import { withPhaseTime } from '../controller/plan-vmi.ts';
import type { BindingPlugin } from '../objects.ts';
import {
  type Condition,
  findCondition,
  LABEL,
  type Vmi,
  type VmiInterface,
  type VmiSpec,
  type VmiStatus,
} from '../objects.ts';
import { isLinkDown } from './device.ts';
import { reportPaused } from './pause.ts';
import type { NicPlan } from './record.ts';

/** Machine type that a node of the lab reports behind the alias q35, as in the recorded flows. */
export const MACHINE_TYPE = 'pc-q35-rhel9.6.0';
const ALLOW_BRIDGE = 'kubevirt.io/allow-pod-bridge-network-live-migration';
const DOMAIN = 'domain';

/** The VMI as the handler reports it once its guest runs (phase, interfaces, conditions, in KubeVirt's order). */
export function reportRunning(vmi: Vmi, nics: readonly NicPlan[], options: ReportOptions): Vmi {
  const { migratable, paused, now } = options;
  const migration = [migratable, { type: 'StorageLiveMigratable', status: 'True' }].reduce<Condition[]>(
    (all, condition) => withNullTimes(all, condition),
    vmi.status?.conditions ?? [],
  );
  const conditions = reportPaused(migration, paused === true, now);
  const status: VmiStatus = {
    ...vmi.status,
    phase: 'Running',
    conditions,
    interfaces: reportInterfaces(vmi.status?.interfaces ?? [], nics),
    machine: { type: MACHINE_TYPE },
    migrationMethod: 'LiveMigration',
    selinuxContext: 'none',
  };
  return { ...vmi, status: withPhaseTime(status, vmi.status?.phase, options.now) };
}

/** `paused`: the guest stands still because its user wants it. */
export type ReportOptions = { now: string; migratable: Condition; paused?: boolean };

function withNullTimes(conditions: Condition[], next: Condition): Condition[] {
  if (findCondition(conditions, next.type)?.status === next.status) return conditions;
  const entry = { lastProbeTime: null, lastTransitionTime: null, ...next };
  return [...conditions.filter(({ type }) => type !== next.type), entry];
}

/** `status.interfaces` with what the domain says: guest MAC, link state, and the pod's addresses as the guest's. */
export function reportInterfaces(known: readonly VmiInterface[], nics: readonly NicPlan[]): VmiInterface[] {
  const plugged = nics.filter((nic) => nic.plugged !== false);
  const reported = plugged.map((nic) =>
    reportInterface(
      known.find((one) => one.name === nic.name),
      nic,
    ),
  );
  const others = known.filter((entry) => !plugged.some((nic) => nic.name === entry.name)).flatMap(reportUnplugged);
  return [...reported, ...others].toSorted((a, b) => Number(isPrimary(b, nics)) - Number(isPrimary(a, nics)));
}

/** Of what the guest has not, or has no more, what Multus reports stays. */
function reportUnplugged({ name, podInterfaceName, infoSource = '' }: VmiInterface): VmiInterface[] {
  if (!infoSource.includes('multus-status')) return [];
  return [{ name, ...(podInterfaceName && { podInterfaceName }), infoSource: 'multus-status' }];
}

function isPrimary(entry: VmiInterface, nics: readonly NicPlan[]): boolean {
  return nics.some((nic) => nic.name === entry.name && nic.primary);
}

function reportInterface(known: VmiInterface | undefined, nic: NicPlan): VmiInterface {
  const { ipAddress: _, ipAddresses: __, infoSource, ...kept } = known ?? { name: nic.name };
  const sources = (infoSource ?? '').split(', ').filter((source) => source !== '' && source !== DOMAIN);
  const addresses = listAddresses(nic);
  return {
    ...kept,
    podInterfaceName: kept.podInterfaceName ?? nic.podInterface,
    infoSource: [DOMAIN, ...sources].join(', '),
    mac: nic.mac,
    linkState: isLinkDown(nic) ? 'down' : 'up',
    queueCount: nic.device?.queues ?? 1,
    ...(addresses[0] === undefined ? {} : { ipAddress: addresses[0], ipAddresses: addresses }),
  };
}

/** Pod addresses as KubeVirt reports them: of both families for masquerade, IPv4 only for the others (v1.8.4). */
function listAddresses(nic: NicPlan): string[] {
  const all = nic.binding === 'masquerade' ? [...nic.ipv4, ...nic.ipv6] : nic.ipv4;
  return all.map((address) => address.slice(0, address.indexOf('/')));
}

/** Condition LiveMigratable (KubeVirt vmispec.VerifyVMIMigratable): only the interface on the pod network is judged. */
export function deriveMigratable(vmi: Vmi, plugins: Readonly<Record<string, BindingPlugin>>): Condition {
  const reason = findObstacle(vmi.spec, vmi.metadata.annotations ?? {}, plugins);
  if (reason === undefined) return { type: 'LiveMigratable', status: 'True' };
  return { type: 'LiveMigratable', status: 'False', reason: 'InterfaceNotLiveMigratable', message: reason };
}

function findObstacle(
  spec: VmiSpec,
  annotations: Readonly<Record<string, string>>,
  plugins: Readonly<Record<string, BindingPlugin>>,
): string | undefined {
  const network = (spec.networks ?? []).find((one) => one.pod !== undefined);
  const nic = (spec.domain.devices.interfaces ?? []).find((one) => one.name === network?.name);
  if (nic === undefined || nic.masquerade !== undefined) return undefined;
  if (nic.binding !== undefined && plugins[nic.binding.name]?.migration !== undefined) return undefined;
  if (nic.binding === undefined && annotations[ALLOW_BRIDGE] !== undefined) return undefined;
  return 'cannot migrate VMI which does not use masquerade, bridge with kubevirt.io/allow-pod-bridge-network-live-migration VM annotation or a migratable plugin to connect to the pod network';
}

/** The VMI with a final phase. */
export function reportEnd(vmi: Vmi, phase: 'Succeeded' | 'Failed', now: string): Vmi {
  return { ...vmi, status: withPhaseTime({ ...vmi.status, phase }, vmi.status?.phase, now) };
}

/** The VMI after the guest has moved: its node is the target (pkg/virt-handler, migration-target.go). */
export function reportMoved(vmi: Vmi, node: string, now: string): Vmi {
  const labels = { ...vmi.metadata.labels, [LABEL.node]: node };
  const { evacuationNodeName: _, launcherContainerImageVersion: __, ...status } = vmi.status ?? {};
  const state = status.migrationState;
  return {
    ...vmi,
    metadata: { ...vmi.metadata, labels },
    status: {
      ...status,
      nodeName: node,
      ...(state === undefined ? {} : { migrationState: { ...state, endTimestamp: now } }),
    },
  };
}

export function withoutTargetLabel(vmi: Vmi): Vmi {
  const { [LABEL.targetNode]: _, ...labels } = vmi.metadata.labels ?? {};
  return { ...vmi, metadata: { ...vmi.metadata, labels } };
}
