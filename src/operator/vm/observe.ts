import { CONFIGURE_GUEST, NETWORK_CONFIG } from '../../api/annotations.ts';
import { formatPortLsp } from '../../api/names.ts';
import {
  findKubevirtOwner,
  type VirtualMachine,
  type VirtualMachineInstance,
  type VirtualMachineInstanceMigration,
  type VmiSpec,
} from '../../api/objects.ts';
import type { Problem } from '../../api/problem.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import { deriveMigration } from '../../migration/derive.ts';
import type { LauncherRecord, MigrationInput, MigrationState } from '../../migration/input.ts';
import { parseLauncher, parseVmi, parseVmim } from '../../migration/parse.ts';
import { findKubevirt } from '../../plan/migration-network/types.ts';
import { type Carriage, type Carrying, deriveCarriage } from '../../plan/ports/carriage.ts';
import type { Carrier } from '../../plan/ports/logical-port.ts';
import {
  deriveStanding,
  deriveStandingAmong,
  type Lives,
  listTrustedLaunchers,
  servesVmi,
} from '../../plan/ports/ownership.ts';
import { listClaimReferences } from '../../plan/requests/claims.ts';
import { type PluginNetworks, parsePluginNetworks } from '../../plan/requests/launcher-names.ts';
import { addLauncherProblems } from '../../plan/requests/launcher-problems.ts';
import { type ClaimReferences, listGuestSources, planVmRequests } from '../../plan/requests/requests.ts';
import type { RequestContext, RequestPlan } from '../../plan/requests/types.ts';
import { listVmNics } from '../../plan/requests/vm-nics.ts';
import type { Context } from '../context.ts';
import { formatWorkloadKey } from '../keys.ts';
import { makeRequestContext } from '../port/request-context.ts';
import type { Seen, Told } from '../port/seen.ts';
import { completePlan, findClusterUid, isKeptByClaim } from '../port/wishes.ts';
import { isKubevirtKnown } from '../world.ts';
import { listLauncherNetworks } from './launcher-networks.ts';

/** A VM, its VMI, their launchers, migrations and ports, as one record. A bare VMI has no VM. */
export function observeVm(context: Context, namespace: string, name: string): Seen {
  const { world } = context;
  const key = formatWorkloadKey('vm', namespace, name);
  const vm = world.vms.store.get(`${namespace}/${name}`);
  const vmi = world.vmis.store.get(`${namespace}/${name}`);
  const ports = world.ports.store.byIndex('key', key);
  const claimants = world.pods.store.byIndex('key', key).flatMap((pod) => parseLauncher(pod) ?? []);
  const launchers = listTrustedLaunchers(claimants, listActivePods(vmi), ports);
  const lives = describeLives(context, { vm, vmi, launchers });
  const migrations = world.vmims.store.byIndex('key', key);
  const vmims = migrations.map(parseVmim);
  const input: MigrationInput = { ...(vmi === undefined ? {} : { vmi: parseVmi(vmi) }), vmims, launchers };
  const regarding = describeObject(vm, vmi);
  const references = listReferences(context, { namespace, spec: vmi?.spec }, launchers);
  const plugins = parsePluginNetworks(findKubevirt(world.kubevirts.store.list()));
  const around = { claims: references, plugins };
  const asked = planRequests({ vm, vmi }, makeRequestContext(context, namespace), around);
  const plan = completePlan(context, asked, { namespace, ports });
  const carrierOf = (nic: string) => findCarrier(vmi?.spec ?? vm?.spec?.template?.spec, namespace, nic);
  const carriage = deriveCarriage({
    ports,
    plan,
    carrierOf,
    launchers: listNetworks(context, namespace, input),
    isOver: (port) => deriveStandingAmong(port, ports, lives) === 'orphaned',
  });
  const observation = { lives, input, carriage };
  const told = findTold(vmi);
  return {
    key,
    namespace,
    name,
    lives,
    ports,
    plan,
    carriage,
    carrierOf,
    stopped: (vmi === undefined || isFinal(vmi)) && launchers.every((launcher) => launcher.final),
    leaving: false,
    claimExists: isKeptByClaim(context, namespace, key),
    stateOf: (port) => deriveState(context, port, observation),
    stateOfNew: (nic) => deriveMigration({ ...input, carriers: listUids(carriage.newcomersOf(nic)) }),
    migrations: migrations.map(describeMigration),
    ...(regarding === undefined ? {} : { regarding }),
    ...(told === undefined ? {} : { told }),
    versions: { vm: vm?.metadata.resourceVersion, vmi: vmi?.metadata.resourceVersion },
    mayWait: (subnet) => vmi === undefined && world.subnets.store.get(subnet)?.spec.allocate === 'OnFirstStart',
  };
}

const isFinal = ({ status }: VirtualMachineInstance): boolean =>
  status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Of a VMI that starts or runs, and asks for it. */
function findTold(vmi: VirtualMachineInstance | undefined): Told | undefined {
  if (vmi === undefined || isFinal(vmi) || vmi.metadata.deletionTimestamp !== undefined) return undefined;
  const { uid = '', annotations = {} } = vmi.metadata;
  return annotations[CONFIGURE_GUEST] === 'true' ? { uid, text: annotations[NETWORK_CONFIG] } : undefined;
}

type Guest = { readonly namespace: string; readonly spec: VmiSpec | undefined };

/** Only launchers that count as such speak for the machine. */
function listReferences(
  { world }: Context,
  { namespace, spec }: Guest,
  launchers: readonly LauncherRecord[],
): ClaimReferences {
  const living = launchers.filter(({ final }) => !final);
  const pods = living.flatMap(({ name }) => world.pods.store.get(`${namespace}/${name}`) ?? []);
  const asked = listVmNics(spec).flatMap(({ interface: name, network }) =>
    network.kind === 'pod' ? [] : [[name, formatNad(namespace, network.reference)] as const],
  );
  return listClaimReferences(pods, namespace, new Map(asked));
}

const formatNad = (namespace: string, reference: string): string =>
  reference.includes('/') ? reference : `${namespace}/${reference}`;

/** By the spec alone: also a NIC whose request cannot be understood is carried as KubeVirt carries it. */
function findCarrier(spec: VmiSpec | undefined, namespace: string, name: string): Carrier | undefined {
  const nic = listVmNics(spec).find((candidate) => candidate.name === name);
  if (nic === undefined) return undefined;
  if (nic.network.kind === 'pod') return { interface: nic.interface };
  return { interface: nic.interface, nad: formatNad(namespace, nic.network.reference) };
}

function listActivePods(vmi: VirtualMachineInstance | undefined) {
  return vmi && { uid: vmi.metadata.uid ?? '', activePods: Object.keys(vmi.status?.activePods ?? {}) };
}

type Objects = { readonly vm: VirtualMachine | undefined; readonly vmi: VirtualMachineInstance | undefined };

function describeLives(
  context: Context,
  { vm, vmi, launchers }: Objects & { launchers: readonly LauncherRecord[] },
): Lives {
  const isDeleting = (object: VirtualMachine | VirtualMachineInstance) =>
    object.metadata.deletionTimestamp !== undefined;
  const vmUid = vmi && findKubevirtOwner(vmi.metadata, 'VirtualMachine')?.uid;
  const clusterUid = findClusterUid(context);
  return {
    ...(vm === undefined ? {} : { vm: { uid: vm.metadata.uid ?? '', deleting: isDeleting(vm) } }),
    ...(vmi === undefined
      ? {}
      : {
          vmi: {
            uid: vmi.metadata.uid ?? '',
            deleting: isDeleting(vmi),
            ...(vmUid === undefined ? {} : { vmUid }),
          },
        }),
    launchers,
    kubevirtKnown: isKubevirtKnown(context.world),
    ...(clusterUid === undefined ? {} : { clusterUid }),
  };
}

type Observation = { readonly lives: Lives; readonly input: MigrationInput; readonly carriage: Carriage };

function deriveState(context: Context, port: LogicalPort, { lives, input, carriage }: Observation): MigrationState {
  return deriveMigration({
    ...selectInput(port, lives, input),
    ...findBinding(context, port),
    held: listHeld(port),
    carriers: listUids(carriage.carriersOf(port)),
  });
}

const listUids = (carrying: readonly Carrying[]): string[] => carrying.map(({ podUID }) => podUID);

/** Where the guest is does not depend on the port. */
function listNetworks({ world }: Context, namespace: string, input: MigrationInput) {
  const findPod = ({ name }: LauncherRecord) => world.pods.store.get(`${namespace}/${name}`);
  return listLauncherNetworks(input.launchers, findPod, deriveMigration(input).node);
}

/** A port of an earlier life belongs where that life's launchers still are, not where the present VMI is. */
function selectInput(port: LogicalPort, lives: Lives, input: MigrationInput): MigrationInput {
  if (deriveStanding(port, lives) !== 'held' || servesVmi(port, lives)) return input;
  const holders = new Set(port.spec.attachments?.map((attachment) => attachment.podUID));
  return { vmims: [], launchers: input.launchers.filter((launcher) => holders.has(launcher.uid)) };
}

/** Who held the port when it was last written. */
function listHeld(port: LogicalPort) {
  return (port.spec.attachments ?? []).map(({ podUID, podName, node }) => ({ uid: podUID, name: podName, node }));
}

function findBinding({ bindings }: Context, port: LogicalPort): Pick<MigrationInput, 'binding'> {
  const binding = bindings.findPortBinding(formatPortLsp(port));
  if (binding === undefined) return {};
  const { chassis, activated, additionalChassis: additional } = binding;
  return { binding: { activated, additional, ...(chassis === undefined ? {} : { chassis }) } };
}

function describeObject(vm: VirtualMachine | undefined, vmi: VirtualMachineInstance | undefined) {
  if (vm !== undefined) return { ...vm, apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine' };
  return vmi && { ...vmi, apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstance' };
}

function describeMigration(vmim: VirtualMachineInstanceMigration) {
  const object = { ...vmim, apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstanceMigration' };
  return { object, refused: parseVmim(vmim).decentralized === true };
}

/**
 * The NICs of the guest that runs and those of the next one: a NIC that was taken out of the VM keeps its port until the
 * VMI has let it go, a NIC that was added has one before the VMI knows of it. What both have is as the VMI has it.
 */
function planRequests({ vm, vmi }: Objects, context: RequestContext, { claims, plugins }: Around): RequestPlan {
  const template = vm?.spec?.template;
  const sources = listGuestSources(vm, vmi);
  const namespace = context.grants.namespace.metadata.name;
  const plan = (spec: VmiSpec | undefined, annotations: Annotations = {}, annotationBytes = 0) =>
    addLauncherProblems(planVmRequests(spec, sources, context, claims), {
      annotations,
      spec,
      namespace,
      plugins,
      annotationBytes,
    });
  const plans = [
    ...(vmi === undefined ? [] : [plan(vmi.spec, vmi.metadata.annotations)]),
    ...(vm === undefined
      ? []
      : [plan(template?.spec, template?.metadata?.annotations, template?.metadata?.annotationBytes)]),
  ];
  return mergePlans(plans);
}

type Annotations = Readonly<Record<string, string>>;
type Around = { readonly claims: ClaimReferences; readonly plugins: PluginNetworks };

function mergePlans([first, second]: readonly RequestPlan[]): RequestPlan {
  if (first === undefined || second === undefined) return first ?? { requests: [], problems: [] };
  const known = new Set([...first.requests, ...first.problems].map(({ nic }) => nic));
  return {
    requests: [...first.requests, ...second.requests.filter(({ nic }) => !known.has(nic))],
    problems: [...first.problems, ...second.problems.filter(({ nic }) => !known.has(nic))],
    others: [...(first.others ?? []), ...(second.others ?? [])],
    notes: mergeNotes(first.notes ?? [], second.notes ?? []),
  };
}

/** The guest that runs and the next one mostly have the same faults. */
function mergeNotes(first: readonly Problem[], second: readonly Problem[]): readonly Problem[] {
  const known = new Set(first.map(({ message }) => message));
  return [...first, ...second.filter(({ message }) => !known.has(message))];
}
