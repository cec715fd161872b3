import { fail, type Result, succeed } from './problem.ts';
import type { LogicalPortSpec } from './types.gen.ts';

/** How KubeVirt joins the guest to the interface of its launcher; what a LogicalPort shows. */
export type Binding = NonNullable<LogicalPortSpec['binding']>;

/** A choice left open: `asIs` leaves it to whoever writes the interface, `auto` to the network. */
export type OpenBinding = 'asIs' | 'auto';
export type BindingPolicy = Binding | OpenBinding;

export const BINDINGS: readonly Binding[] = ['bridge', 'masquerade', 'managedTap'];
export const BINDING_POLICIES: readonly BindingPolicy[] = ['asIs', ...BINDINGS, 'auto'];

/** Whether the choice is left open. */
export const isOpenBinding = (policy: BindingPolicy): policy is OpenBinding => policy === 'asIs' || policy === 'auto';

/** Reads `mooring.dev/binding`, or `binding` of a NIC; undefined for blanks. Problem: InvalidRequest. */
export function parseBindingPolicy(text: string): Result<BindingPolicy | undefined> {
  const word = text.trim();
  if (word === '') return succeed(undefined);
  const policy = BINDING_POLICIES.find((candidate) => candidate === word);
  return policy === undefined
    ? fail('InvalidRequest', `${JSON.stringify(word.slice(0, 100))} is not one of ${BINDING_POLICIES.join(', ')}`)
    : succeed(policy);
}
