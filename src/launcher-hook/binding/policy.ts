import { BINDING, BINDING_ENFORCED } from '../../api/annotations.ts';
import { type BindingPolicy, parseBindingPolicy } from '../../api/binding.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';
import { readKey } from '../../plan/wishes/keys.ts';
import type { Wish, WishSource } from '../../plan/wishes/types.ts';

/** What somebody wants of a binding. */
export type Statement = {
  readonly policy: BindingPolicy;
  /** Who says so, for messages. */
  readonly from: string;
  /** It also replaces what a user has written. */
  readonly enforced: boolean;
  /** It was said of this guest or this network: what cannot be done is an error, not something to leave alone. */
  readonly near: boolean;
};

/** The statements that may concern one NIC. */
export type Statements = {
  readonly nic: Statement | undefined;
  readonly vm: Statement | undefined;
  readonly subnet: Statement | undefined;
  readonly namespace: Statement | undefined;
  readonly fallback: Statement;
};

/** An enforced one of the Subnet, then of the Namespace; else the nearest: NIC, VM, Subnet, Namespace, default. */
export function chooseStatement({ nic, vm, subnet, namespace, fallback }: Statements): Statement {
  const enforced = [subnet, namespace].find((statement) => statement?.enforced === true);
  return enforced ?? nic ?? vm ?? subnet ?? namespace ?? fallback;
}

/** A NIC's own entry in `mooring.dev/nics`. */
export function readNicStatement({ binding, openBinding }: Wish): Statement | undefined {
  const policy = binding ?? openBinding;
  return policy && { policy, from: 'mooring.dev/nics', enforced: false, near: true };
}

/** What VM and template, or the VMI, say of all their NICs. Problems: InvalidRequest, RequestDisagreement. */
export function readVmStatement(sources: readonly WishSource[]): Result<Statement | undefined> {
  const said: Statement[] = [];
  for (const source of sources) {
    const policy = parseBindingPolicy(readKey(source, BINDING) ?? '');
    if (!policy.ok) return fail(policy.problem.reason, `${source.from}: ${BINDING}: ${policy.problem.message}`);
    if (policy.value !== undefined) {
      said.push({ policy: policy.value, from: source.from, enforced: false, near: true });
    }
  }
  const [first, other] = said.filter(({ policy }, index) => said.findIndex((item) => item.policy === policy) === index);
  return first === undefined || other === undefined
    ? succeed(first)
    : fail(
        'RequestDisagreement',
        `${BINDING}: ${first.from} asks for ${first.policy}, but ${other.from} asks for ${other.policy}`,
      );
}

/** What a Namespace or a Subnet says. Problem: InvalidRequest. */
export function readOuterStatement(source: WishSource, near: boolean): Result<Statement | undefined> {
  const policy = parseBindingPolicy(readKey(source, BINDING) ?? '');
  if (!policy.ok) return fail('InvalidRequest', `${source.from}: ${BINDING}: ${policy.problem.message}`);
  if (policy.value === undefined) return succeed(undefined);
  const enforced = readKey(source, BINDING_ENFORCED)?.trim() === 'true';
  return succeed({ policy: policy.value, from: source.from, enforced, near });
}
