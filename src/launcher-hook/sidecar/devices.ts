import type { NicDevice } from '../../api/nic-devices.ts';
import { type Element, listAt, listChildren, parseDomain } from './domain.ts';
import { applyEdits, type Edit, planAttribute, planChild } from './edit.ts';

/** The domain XML to hand back, and what of it was not done. */
export type DomainPlan = { readonly xml: string; readonly notes: readonly string[] };

/**
 * Sets on the NICs of a domain what is asked for by name. KubeVirt names a NIC by its alias, `ua-<name>`
 * (virt-launcher/virtwrap/converter, `NewUserDefinedAlias`). Planning its own result again changes nothing, and every
 * byte outside of the changed attributes and new elements stays. A text that cannot be read is handed back.
 */
export function planDomain(xml: string, devices: ReadonlyMap<string, NicDevice>): DomainPlan {
  if (devices.size === 0) return { xml, notes: [] };
  const first = planEdits(xml, devices);
  if (first === undefined) return { xml, notes: ['the domain XML cannot be read'] };
  if (first.edits.length === 0) return { xml, notes: first.notes };
  const edited = applyEdits(xml, first.edits);
  const second = planEdits(edited, devices);
  return second?.edits.length === 0
    ? { xml: edited, notes: first.notes }
    : { xml, notes: ['the edited domain XML does not say what it should'] };
}

type Plan = { readonly edits: readonly Edit[]; readonly notes: readonly string[] };
const NOTHING: Plan = { edits: [], notes: [] };
const note = (text: string): Plan => ({ edits: [], notes: [text] });

function planEdits(text: string, devices: ReadonlyMap<string, NicDevice>): Plan | undefined {
  const domain = parseDomain(text);
  if (domain === undefined) return undefined;
  const interfaces = listAt(domain, 'devices', 'interface');
  const arch = listAt(domain, 'os', 'type')[0]?.attributes.get('arch') ?? 'x86_64';
  const plans = [...devices].map(([name, device]) => {
    const nics = interfaces.filter((one) => hasAlias(one, `ua-${name}`));
    const [nic] = nics;
    if (nic === undefined) return note(`${name}: the domain has no such NIC`);
    if (nics.length > 1) return note(`${name}: the domain has several NICs of this name`);
    return prefix(name, join(STEPS.map((step) => step({ text, nic, device, arch }))));
  });
  return join(plans);
}

const hasAlias = (nic: Element, alias: string): boolean =>
  listChildren(nic, 'alias').some(({ attributes }) => attributes.get('name') === alias);

const join = (plans: readonly Plan[]): Plan => ({
  edits: plans.flatMap(({ edits }) => edits),
  notes: plans.flatMap(({ notes }) => notes),
});

const prefix = (name: string, { edits, notes }: Plan): Plan => ({
  edits,
  notes: notes.map((text) => `${name}: ${text}`),
});

type Target = { readonly text: string; readonly nic: Element; readonly device: NicDevice; readonly arch: string };

const STEPS: readonly ((target: Target) => Plan)[] = [planMtu, planLink, planModel, planQueues];

/** More than the pod's link takes would be lost there; KubeVirt writes that size once it knows it. */
function planMtu(target: Target): Plan {
  const { mtu } = target.device;
  if (mtu === undefined) return NOTHING;
  const present = Number(findAttribute(target.nic, 'mtu', 'size'));
  if (mtu > present) return note(`mtu ${mtu} is more than the ${present} bytes of the pod's link`);
  return setChild(target, 'mtu', 'size', String(mtu));
}

/** Without the element the link is up. */
function planLink(target: Target): Plan {
  const { link } = target.device;
  if (link === undefined || link === (findAttribute(target.nic, 'link', 'state') ?? 'up')) return NOTHING;
  return setChild(target, 'link', 'state', link);
}

/** A device of another kind may not fit where KubeVirt has placed the one that it chose. */
function planModel(target: Target): Plan {
  const { nic, device, arch } = target;
  const { model } = device;
  const present = findAttribute(nic, 'model', 'type') ?? '';
  if (model === undefined || present === model || (model === 'virtio' && isVirtio(present))) return NOTHING;
  if (model !== 'virtio' && arch !== 'x86_64') return note(`model ${model} is not there on ${arch}`);
  if (listChildren(nic, 'address').length > 0) return note(`model ${model}: KubeVirt has placed the device already`);
  if (findAttribute(nic, 'driver', 'queues') !== undefined) return note(`model ${model} has no queues, but the VM has`);
  return setChild(target, 'model', 'type', model);
}

const isVirtio = (model: string): boolean => model === 'virtio' || model.startsWith('virtio-');

/**
 * The tap is there already: opening one that was not made for several queues with several, or one that was with one,
 * fails, and with it the start. So only a NIC that has several gets another number, and never more than KubeVirt gave,
 * which is one for each CPU.
 */
function planQueues(target: Target): Plan {
  const { queues } = target.device;
  const present = findAttribute(target.nic, 'driver', 'queues');
  if (queues === undefined || String(queues) === present) return NOTHING;
  if (present === undefined) return note(`queues ${queues} needs networkInterfaceMultiqueue of the VM`);
  if (queues < 2 || queues > Number(present)) return note(`queues ${queues} is not from 2 to ${present}`);
  return setChild(target, 'driver', 'queues', String(queues));
}

const findAttribute = (nic: Element, tag: string, name: string): string | undefined =>
  listChildren(nic, tag)[0]?.attributes.get(name);

function setChild({ text, nic }: Target, tag: string, name: string, value: string): Plan {
  const [child, ...more] = listChildren(nic, tag);
  if (more.length > 0) return note(`there are several elements ${tag}`);
  const edits =
    child === undefined
      ? [planChild(text, nic, `<${tag} ${name}="${value}"></${tag}>`)]
      : planAttribute(text, child, name, value);
  return { edits, notes: [] };
}
