import { fail, type Result, succeed } from '../../api/problem.ts';
import { quote } from '../../ipam/ranges.ts';
import type { NicKeys } from '../wishes/keys.ts';
import type { Binding, Named } from '../wishes/types.ts';
import { type NadPlan, planNad } from './nad.ts';
import { PRIMARY_INTERFACE, type RequestContext } from './types.ts';

/** One NIC as its owner lists it, before anything is known of its network. */
export type Draft = {
  readonly nic: string;
  readonly interface: string;
  readonly absent: boolean;
  readonly binding?: Binding;
  readonly nad?: { readonly namespace: string; readonly name: string };
  /** What the list itself asks for the NIC. */
  readonly more: readonly Result<Named>[];
  /** The list says that the pod's default route is here: gateways as they were typed. */
  readonly defaultRoute?: readonly string[];
};

/** A draft with what its NAD means to us; `nad` is absent for the primary network. */
export type Identified = {
  readonly draft: Draft;
  readonly keys: NicKeys;
  readonly plan?: NadPlan;
};

const NIC_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const SHARES_ITS_MAC = ['macvlan', 'ipvlan'];

/** Whether the primary network has anything to do with us, and for a NIC on a NAD what it is to us. Undefined: nothing. */
export function identify(
  draft: Draft,
  isShared: (nad: NonNullable<Draft['nad']>) => boolean,
  context: RequestContext,
): Result<Identified | undefined> {
  const identified = draft.nad === undefined ? identifyPrimary(draft, context) : identifyNad(draft, draft.nad, context);
  if (!identified.ok || identified.value === undefined) return identified;
  const { keys, plan } = identified.value;
  if (plan?.kind !== 'none' && !NIC_NAME.test(draft.nic)) {
    return fail('InvalidRequest', `${quote(draft.nic)} is not a name for a NIC`);
  }
  if (keys.nad === undefined) return identified;
  const shared = isShared(keys.nad);
  return succeed({ ...identified.value, keys: { ...keys, nad: { ...keys.nad, shared } } });
}

function identifyPrimary(draft: Draft, { primary }: RequestContext): Result<Identified | undefined> {
  return succeed(primary ? { draft, keys: { nic: draft.nic, interface: draft.interface } } : undefined);
}

function identifyNad(
  draft: Draft,
  nad: NonNullable<Draft['nad']>,
  context: RequestContext,
): Result<Identified | undefined> {
  const found = context.findNad(nad.namespace, nad.name);
  if (found === undefined) {
    return fail('NetworkAttachmentNotFound', `NetworkAttachmentDefinition ${nad.namespace}/${nad.name} does not exist`);
  }
  const plan = planNad(found);
  if (!plan.ok) return plan;
  const { kind, type } = plan.value;
  if (draft.binding === 'bridge' && SHARES_ITS_MAC.includes(type)) return failBridge(nad, type);
  const primaryKeys = mayBePrimary(plan.value, context);
  const keys = { nic: draft.nic, interface: draft.interface, nad: { ...nad, kind, shared: false, primaryKeys } };
  return succeed({ draft, keys, plan: plan.value });
}

/** With another plugin first, a NAD of ours that names no provider is the way to our primary network. */
function mayBePrimary(plan: NadPlan, context: RequestContext): boolean {
  return !context.primary && plan.kind === 'ours' && !plan.named;
}

function failBridge({ namespace, name }: NonNullable<Draft['nad']>, type: string) {
  const where = `NetworkAttachmentDefinition ${namespace}/${name}`;
  return fail(
    'BindingNotPossible',
    `${where}: ${type} lets no frames through for a guest under the binding bridge, whose MAC is not the pod's; ` +
      'use a macvtap network with its own binding, or a network of Mooring',
  );
}

export const isFirst = (draft: Pick<Draft, 'interface'>): boolean => draft.interface === PRIMARY_INTERFACE;
