import type { Binding } from '../../api/binding.ts';
import { fail, type Problem, type Result, succeed } from '../../api/problem.ts';
import { quote } from '../../ipam/ranges.ts';
import { chooseAuto, isHandedOver, sharesItsMac } from './auto.ts';
import type { KubevirtSettings } from './kubevirt.ts';
import type { Slot } from './machine.ts';
import type { NicFacts, NicNetwork } from './network.ts';
import type { Statement } from './policy.ts';
import { readWritten, type Written } from './written.ts';

/** One NIC with everything that its binding is decided by. */
export type Case = {
  readonly slot: Slot;
  readonly facts: NicFacts;
  readonly statement: Statement;
  readonly kubevirt: KubevirtSettings;
  /** The NIC is to come into a VM that runs. */
  readonly plugged: boolean;
};

export type Decision = {
  readonly slot: Slot;
  readonly network: NicNetwork;
  readonly statement: Statement;
  /** What the interface has in the end, as far as it is one of ours. */
  readonly binding?: Binding;
  /** It is to be written; `replaces` are the keys that go. */
  readonly change?: { readonly to: Binding; readonly replaces: readonly string[] };
  /** Why the policy is left alone. */
  readonly left?: string;
};

/**
 * What becomes of one NIC. A user's own binding is replaced by an enforced statement only, one that is none of ours
 * never. Problems: InvalidRequest for what KubeVirt would refuse or could not carry out, RequestDisagreement for a
 * NIC's entry against an enforced statement.
 */
export function decideNic(item: Case): Result<Decision> {
  const { slot, statement, facts } = item;
  const written = readWritten(slot.raw);
  const kept = keep(item, written);
  if (slot.nic.absent || statement.policy === 'asIs') return succeed(kept);
  if (written.foreign.length > 0) return leaveForeign(item, kept, written);
  if (written.ours.length > 0 && !statement.enforced) return succeed(kept);
  if (isHandedOver(facts.network)) {
    return succeed(leave(item, kept, `${facts.network.type} hands its device to the guest by a binding of its own`));
  }
  const to = choose(item);
  if (to === undefined) return succeed(leave(item, kept, sayMacs(facts.network)));
  return settle(item, kept, { to, written });
}

function keep({ slot, facts, statement }: Case, { ours, foreign }: Written): Decision {
  const base = { slot, network: facts.network, statement };
  const binding = ours.length === 1 && foreign.length === 0 ? slot.nic.binding : undefined;
  return binding === undefined ? base : { ...base, binding };
}

/** Only who has said something of this guest, or enforces it, is told that nothing came of it. */
const leave = ({ statement }: Case, kept: Decision, why: string): Decision =>
  statement.enforced || statement.near ? { ...kept, left: why } : kept;

/** A field that nobody knows must not be a way around what is enforced. */
function leaveForeign(item: Case, kept: Decision, { ours, foreign, unknown }: Written): Result<Decision> {
  const { enforced, from, policy } = item.statement;
  if (!enforced) return succeed(kept);
  const named = foreign.map((key) => quote(key)).join(', ');
  if (unknown.length > 0) {
    const why = `${from} enforces ${policy}; take out ${named}, which is not known`;
    return fail('InvalidRequest', `${nameNic(item)}: ${why}`);
  }
  return ours.length > 0
    ? fail('InvalidRequest', `${nameNic(item)} names two bindings, ${from} enforces ${policy}; take out ${named}`)
    : succeed(leave(item, kept, `the interface has the binding ${named}, which is never replaced`));
}

const choose = ({ statement: { policy }, facts, kubevirt, plugged }: Case): Binding | undefined =>
  policy === 'auto' || policy === 'asIs' ? chooseAuto({ network: facts.network, kubevirt, plugged }) : policy;

type Target = { readonly to: Binding; readonly written: Written };

function settle(item: Case, kept: Decision, { to, written }: Target): Result<Decision> {
  if (written.ours.length === 1 && kept.binding === to) return succeed(kept);
  const obstacle = findObstacle(item, to);
  if (obstacle !== undefined) return leaveOrFail(item, kept, obstacle);
  const disagreement = findDisagreement(item, to);
  if (disagreement !== undefined) return { ok: false, problem: disagreement };
  const key = to === 'managedTap' ? 'binding' : to;
  return succeed({ ...kept, binding: to, change: { to, replaces: written.ours.filter((other) => other !== key) } });
}

type Obstacle = { readonly why: string; readonly always?: true };

/** What KubeVirt refuses (pkg/network/admitter/netiface.go), fails at when the pod is made, or cannot make work. */
function findObstacle({ facts: { network }, kubevirt }: Case, to: Binding): Obstacle | undefined {
  if (to === 'masquerade') {
    return network.kind === 'pod'
      ? undefined
      : { why: 'masquerade is possible on the pod network only; give this NIC its own binding in mooring.dev/nics' };
  }
  if (sharesItsMac(network)) return { why: sayMacs(network) };
  if (to === 'managedTap') {
    const why = 'KubeVirt knows no binding plugin managedTap; register it there (docs/bindings.md), or choose bridge';
    return kubevirt.managedTap === undefined ? { why, always: true } : undefined;
  }
  return network.kind !== 'pod' || kubevirt.bridgeOnPod
    ? undefined
    : { why: 'KubeVirt does not permit bridge on the pod network (permitBridgeInterfaceOnPodNetwork)' };
}

function leaveOrFail(item: Case, kept: Decision, { why, always }: Obstacle): Result<Decision> {
  const { near, enforced, from, policy } = item.statement;
  return near || enforced || always === true
    ? fail('InvalidRequest', `${nameNic(item)}: ${from} asks for ${policy}: ${why}`)
    : succeed({ ...kept, left: why });
}

/** The controller would refuse a port whose sources want different bindings. */
function findDisagreement(item: Case, to: Binding): Problem | undefined {
  const { binding } = item.facts.wish;
  if (binding === undefined || binding === to) return undefined;
  const message = `${nameNic(item)}: ${item.statement.from} enforces ${to}; take ${binding} out of mooring.dev/nics`;
  return { reason: 'RequestDisagreement', message };
}

const nameNic = ({ slot }: Case): string => `NIC ${quote(slot.nic.name)}`;

const sayMacs = ({ type = 'its plugin' }: NicNetwork): string =>
  `${type} lets no frames through for a guest behind bridge or managedTap; use macvtap with its own binding`;
