import type { BindingPolicy } from '../../api/binding.ts';
import { type Problem, type Result, succeed } from '../../api/problem.ts';
import type { Subnet } from '../../api/types.gen.ts';
import { makeRequestContext } from '../../plan/requests/context.ts';
import type { RequestContext } from '../../plan/requests/types.ts';
import { listVmNics } from '../../plan/requests/vm-nics.ts';
import { createWishReader, type WishReader } from '../../plan/wishes/reader.ts';
import { ALLOWED, type Judge, type PatchOperation, type Verdict } from '../admission.ts';
import type { Cluster } from '../records.ts';
import { type Decision, decideNic } from './decide.ts';
import { type KubevirtSettings, readKubevirt } from './kubevirt.ts';
import { DEFAULT_SLOT, formatQuestion, type Machine, type Question, readMachine, type Slot } from './machine.ts';
import { describeNic } from './network.ts';
import { mayMigrateBridge, planInterfaces, planMigrationAnnotation } from './patch.ts';
import { chooseStatement, readNicStatement, readOuterStatement, readVmStatement, type Statement } from './policy.ts';
import { describeConsequences, limitWarnings } from './warnings.ts';

/** What holds where nobody says anything, from the chart; the other settings are the operator's. */
export type BindingDefaults = {
  readonly binding: BindingPolicy;
  readonly defaultSubnet: string;
  readonly defaultVpc: string;
  /** Whether the pods' first interface is ours. */
  readonly primary: boolean;
};

export type BindingPlan = {
  readonly patch: readonly PatchOperation[];
  readonly warnings: readonly string[];
  /** Why the object is refused; then there is no patch. */
  readonly denial?: Problem;
};

const NOTHING: BindingPlan = { patch: [], warnings: [] };

/**
 * The bindings of a VM or VMI by the policies that concern it: what is to be written, and what it means. Planning again
 * on the patched object gives nothing to write. Takes any object without throwing; what is no VM or VMI gets nothing.
 */
export function planBindings(question: Question, cluster: Cluster, defaults: BindingDefaults): BindingPlan {
  const { operation, object, oldObject } = question;
  if (operation === 'UPDATE' && formatQuestion(object) === formatQuestion(oldObject)) return NOTHING;
  const machine = readMachine(question, cluster);
  if (machine === undefined) return NOTHING;
  const plan = planMachine(machine, cluster, defaults);
  if (plan.denial === undefined) return { ...plan, warnings: limitWarnings(plan.warnings) };
  const before = operation === 'UPDATE' ? readMachine({ ...question, object: oldObject }, cluster) : undefined;
  const old = before && planMachine(before, cluster, defaults).denial;
  // What was wrong before must not keep anybody from editing the rest.
  return old?.message === plan.denial.message ? { patch: [], warnings: limitWarnings([old.message]) } : plan;
}

/** planBindings as a judge of the webhook. */
export function createBindingJudge(cluster: Cluster, defaults: BindingDefaults): Judge {
  return (admission): Verdict => {
    const { patch, warnings, denial } = planBindings(admission, cluster, defaults);
    return denial === undefined
      ? { ...ALLOWED, patch, warnings }
      : { ...ALLOWED, allowed: false, warnings, message: `${denial.reason}: ${denial.message}` };
  };
}

/** What all NICs of a machine have in common. */
type Scene = {
  readonly machine: Machine;
  readonly cluster: Cluster;
  readonly defaults: BindingDefaults;
  readonly kubevirt: KubevirtSettings;
  readonly context: RequestContext;
  readonly read: WishReader;
  readonly vm: Statement | undefined;
  readonly namespace: Statement | undefined;
  /** Names of the NICs of the VMI that runs. */
  readonly running: ReadonlySet<string> | undefined;
};

type Outcome = { readonly decision?: Decision; readonly denial?: Denial; readonly warnings: readonly string[] };
type Denial = { readonly problem: Problem; readonly enforced: boolean };

function planMachine(machine: Machine, cluster: Cluster, defaults: BindingDefaults): BindingPlan {
  const vm = readVmStatement(machine.sources);
  if (!vm.ok) return refuse(machine, { problem: vm.problem, enforced: false });
  const namespace = readNamespace(machine, cluster);
  const running = findRunning(machine, cluster);
  const scene: Scene = {
    machine,
    cluster,
    defaults,
    kubevirt: readKubevirt(cluster.findKubevirt()),
    context: makeContext(machine, cluster, defaults),
    read: createWishReader(machine.sources),
    vm: vm.value,
    namespace: namespace.statement,
    running,
  };
  const outcomes = (machine.bare ? [DEFAULT_SLOT] : machine.slots).map((slot) => decide(slot, scene));
  const denial = outcomes.find((outcome) => outcome.denial !== undefined)?.denial ?? findSecondMasquerade(outcomes);
  if (denial !== undefined) return refuse(machine, denial);
  const warnings = [...namespace.warnings, ...outcomes.flatMap((outcome) => outcome.warnings)];
  return writeAll(scene, listDecisions(outcomes), warnings);
}

const listDecisions = (outcomes: readonly Outcome[]): Decision[] => outcomes.flatMap(({ decision }) => decision ?? []);

/** A VM that was admitted once must start whatever was said since, unless that is enforced. */
function refuse({ ofVm }: Machine, { problem, enforced }: Denial): BindingPlan {
  return ofVm && !enforced ? { patch: [], warnings: [problem.message] } : { ...NOTHING, denial: problem };
}

function readNamespace({ namespace }: Machine, cluster: Cluster) {
  const annotations = cluster.findNamespace(namespace)?.metadata.annotations;
  return splitStatement(readOuterStatement({ from: `Namespace ${namespace}`, annotations }, false));
}

/** Whoever reads the answer can do nothing about what another one has misspelt. */
function splitStatement(result: Result<Statement | undefined>) {
  return result.ok
    ? { statement: result.value, warnings: [] }
    : { statement: undefined, warnings: [`${result.problem.message}; it is ignored`] };
}

/** Grants of VPCs and pools are the checks' business: whether they are given does not change which subnet is meant. */
function makeContext({ namespace }: Machine, cluster: Cluster, defaults: BindingDefaults): RequestContext {
  const { defaultSubnet, defaultVpc, primary } = defaults;
  const sources = {
    subnets: cluster.listSubnets(),
    defaultSubnet,
    defaultVpc,
    primary,
    findVpc: (name: string) => ({
      apiVersion: 'mooring.dev/v1alpha1' as const,
      kind: 'Vpc' as const,
      metadata: { name },
      spec: {},
    }),
    findPool: () => undefined,
    findNamespace: (name: string) => cluster.findNamespace(name),
    findNad: (of: string, name: string) => cluster.findNad(of, name),
  };
  return makeRequestContext(sources, namespace);
}

function findRunning({ namespace, name, metadataPath }: Machine, cluster: Cluster): ReadonlySet<string> | undefined {
  const vmi = metadataPath === '/metadata' ? undefined : cluster.findVmi(namespace, name);
  return vmi && new Set(listVmNics(vmi.spec).map((nic) => nic.name));
}

function decide(slot: Slot, scene: Scene): Outcome {
  const { kubevirt, running, vm, namespace, defaults } = scene;
  const facts = describeNic(slot.nic, scene.read, scene.context);
  const subnet = splitStatement(readSubnetStatement(facts.network.subnet));
  const statement = chooseStatement({
    nic: readNicStatement(facts.wish),
    vm,
    subnet: subnet.statement,
    namespace,
    fallback: { policy: defaults.binding, from: 'the cluster default', enforced: false, near: false },
  });
  const plugged = running !== undefined && !running.has(slot.nic.name);
  const decided = decideNic({ slot, facts, statement, kubevirt, plugged });
  return decided.ok
    ? { decision: decided.value, warnings: subnet.warnings }
    : { denial: { problem: decided.problem, enforced: statement.enforced }, warnings: [] };
}

function readSubnetStatement(subnet: Subnet | undefined): Result<Statement | undefined> {
  if (subnet === undefined) return succeed(undefined);
  const { name, annotations } = subnet.metadata;
  return readOuterStatement({ from: `Subnet ${name}`, annotations }, true);
}

/** KubeVirt has one pod network in a guest, and masquerade there only. */
function findSecondMasquerade(outcomes: readonly Outcome[]): Denial | undefined {
  const masked = listDecisions(outcomes).filter(({ binding }) => binding === 'masquerade');
  const culprit = masked.find(({ change }) => change !== undefined);
  if (masked.length < 2 || culprit === undefined) return undefined;
  const message = `${masked.length} NICs have the binding masquerade; a guest can have one`;
  return { problem: { reason: 'InvalidRequest', message }, enforced: culprit.statement.enforced };
}

function writeAll({ machine, kubevirt }: Scene, decisions: readonly Decision[], before: readonly string[]) {
  const has = mayMigrateBridge(machine);
  const isWanted = !has && decisions.some(wantsAnnotation);
  const around = { kubevirt, mayMigrate: has || isWanted };
  return {
    patch: [...planInterfaces(machine, decisions, kubevirt), ...(isWanted ? [planMigrationAnnotation(machine)] : [])],
    warnings: [...before, ...decisions.flatMap((decision) => describeConsequences(decision, around))],
  };
}

/** On another CNI's network the target would have another address than the guest. */
function wantsAnnotation({ binding, network, statement, slot }: Decision): boolean {
  if (slot.nic.absent || statement.policy === 'asIs') return false;
  return binding === 'bridge' && network.kind === 'pod' && network.maker === 'ours';
}
