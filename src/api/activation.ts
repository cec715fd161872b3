/**
 * Who opens the target of a migration. `gate`: rules in the target launcher's namespace, by the agent. `rarp`: OVN's
 * activation strategy (ovn-nb(5)), by the guest's announcement; where the guest's frames are masqueraded no announcement
 * reaches OVN, so there it is the gate all the same.
 */
export type Activation = 'gate' | 'rarp';

const ACTIVATIONS: readonly Activation[] = ['gate', 'rarp'];

/** Reads an option. Throws TypeError for any other word. */
export function parseActivation(text: string): Activation {
  const found = ACTIVATIONS.find((candidate) => candidate === text);
  if (found === undefined) throw new TypeError(`--activation must be one of ${ACTIVATIONS.join(', ')}`);
  return found;
}

type Binding = 'bridge' | 'masquerade' | 'managedTap';

/** True when OVN's own strategy opens a target of this binding, so that no gate is needed. */
export const isOpenedByOvn = (activation: Activation | undefined, binding: Binding | undefined): boolean =>
  activation === 'rarp' && binding !== 'masquerade';
