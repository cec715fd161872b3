import type { Subnet } from '../../api/types.gen.ts';
import { type Draft, type Identified, identify } from '../../plan/requests/draft.ts';
import { chooseSubnet } from '../../plan/requests/grants.ts';
import { describeNeed } from '../../plan/requests/resolve.ts';
import { PRIMARY_INTERFACE, type RequestContext } from '../../plan/requests/types.ts';
import type { VmNic } from '../../plan/requests/vm-nics.ts';
import type { WishReader } from '../../plan/wishes/reader.ts';
import { parseReference } from '../../plan/wishes/selection.ts';
import type { Wish } from '../../plan/wishes/types.ts';

/** What joins a NIC to the world, as far as the choice of a binding depends on it. */
export type NicNetwork = {
  /** `default`: a NAD in the place of the pod network. */
  readonly kind: 'pod' | 'default' | 'secondary';
  /** Who makes the launcher's interface: we, another plugin with or without our address, or nobody can tell. */
  readonly maker: 'ours' | 'ipam' | 'other' | 'unknown';
  /** The plugin's type. */
  readonly type?: string;
  readonly subnet?: Subnet;
};

export type NicFacts = { readonly network: NicNetwork; readonly wish: Wish };

/**
 * Finds a NIC's network and wishes as the controller does. What cannot be understood or is not granted leaves the
 * subnet out: the checks say why, and no port comes of it.
 */
export function describeNic(nic: VmNic, read: WishReader, context: RequestContext): NicFacts {
  const kind = nic.network.kind === 'pod' ? 'pod' : nic.interface === PRIMARY_INTERFACE ? 'default' : 'secondary';
  const draft = draftNic(nic, context.grants.namespace.metadata.name);
  const identified = draft && identify(draft, () => false, context);
  if (!identified?.ok) return { network: { kind, maker: 'unknown' }, wish: {} };
  return identified.value === undefined
    ? { network: { kind, maker: 'other' }, wish: readOwn(nic, read) }
    : describeIdentified(kind, identified.value, read, context);
}

/** Without the binding: an interface that disagrees with a wish has a network all the same. */
function draftNic(nic: VmNic, namespace: string): Draft | undefined {
  const base = { nic: nic.name, interface: nic.interface, absent: nic.absent, more: [] };
  if (nic.network.kind === 'pod') return base;
  const reference = parseReference(nic.network.reference, namespace);
  if (!reference.ok) return undefined;
  const { namespace: of, name } = reference.value;
  return { ...base, nad: { namespace: of, name } };
}

function describeIdentified(
  kind: NicNetwork['kind'],
  identified: Identified,
  read: WishReader,
  { grants }: RequestContext,
): NicFacts {
  const { keys, plan } = identified;
  const asked = read(keys);
  const wish = asked.ok ? asked.value : {};
  const type = plan === undefined ? {} : { type: plan.type };
  if (plan?.kind === 'none') return { network: { kind, maker: 'other', ...type }, wish };
  const subnet = asked.ok ? chooseSubnet(grants, describeNeed(identified, wish)) : asked;
  const maker = plan?.kind ?? 'ours';
  return { network: { kind, maker, ...type, ...(subnet.ok ? { subnet: subnet.value } : {}) }, wish };
}

/** On a network that is not ours the keys of the primary network mean nothing, a NIC's own entry does. */
function readOwn(nic: VmNic, read: WishReader): Wish {
  const asked = read({ nic: nic.name, interface: nic.interface });
  return asked.ok ? asked.value : {};
}
