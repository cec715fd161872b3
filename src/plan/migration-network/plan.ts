import { formatMigrationSubnet } from '../../api/names.ts';
import type { KubeVirt, NetworkAttachmentDefinition } from '../../api/objects.ts';
import { fail, type Problem, type Result, succeed } from '../../api/problem.ts';
import type { MigrationNetwork, Subnet } from '../../api/types.gen.ts';
import type { Moment, Verdict } from '../conditions.ts';
import { findShortage, findTrouble } from './checks.ts';
import { listNodeTruths, listUsers, type NodeTruth } from './handlers.ts';
import { type KubevirtPlan, planKubevirt } from './kubevirt.ts';
import { listNews, listSent } from './memory.ts';
import { planRelease } from './release.ts';
import { deriveReady, formatStatus, refuse } from './status.ts';
import { findActive, findKubevirt, type MigrationFacts, type MigrationPlan, NOTHING_TO_REMOVE } from './types.ts';
import { isOwnNad, isOwnSubnet, planWish, type Wish } from './wish.ts';

/** What is to be done for a MigrationNetwork, and what its status says. Pure. */
export function planMigrationNetwork(network: MigrationNetwork, facts: MigrationFacts, moment: Moment): MigrationPlan {
  if (network.metadata.deletionTimestamp !== undefined) return planRelease(network, facts, moment);
  const standing = findStanding(network, facts);
  if (!standing.ok) {
    const verdict = refuse(standing.problem);
    const status = formatStatus(network, { verdict, kubevirt: findKubevirt(facts.kubevirts) }, moment);
    return { remove: NOTHING_TO_REMOVE, status, isGone: false, news: [] };
  }
  return planActive(network, { ...standing.value, facts }, moment);
}

type Standing = { readonly kubevirt: KubeVirt; readonly wish: Wish };

/** Problem: why there is nothing to be said about nodes and migrations. */
function findStanding(network: MigrationNetwork, facts: MigrationFacts): Result<Standing> {
  const active = findActive(facts.networks);
  if (active !== undefined && active.metadata.name !== network.metadata.name) {
    return fail('OtherMigrationNetwork', `MigrationNetwork ${active.metadata.name} is older and the active one`);
  }
  const kubevirt = findKubevirt(facts.kubevirts);
  if (kubevirt === undefined) return fail('KubevirtNotFound', 'there is no KubeVirt object; it waits for one');
  const wish = planWish(network, kubevirt.metadata.namespace ?? '', facts.nads);
  return wish.ok ? succeed({ kubevirt, wish: wish.value }) : wish;
}

type Active = Standing & { readonly facts: MigrationFacts };

function planActive(network: MigrationNetwork, active: Active, moment: Moment): MigrationPlan {
  const { kubevirt, wish, facts } = active;
  const target = { nad: `${kubevirt.metadata.namespace ?? ''}/${wish.nad}`, ranges: wish.ranges };
  const nodes = listNodeTruths(facts.handlers, facts.nodes, target);
  const sent = listSent(network, facts.vmis, wish.ranges);
  const base = { isGone: false, news: listNews(network, sent) };
  const tell = (verdict: Verdict) => formatStatus(network, { verdict, kubevirt, nodes, sent }, moment);
  const setting = findSetting(network, active, nodes);
  // What is in use already stays as it is.
  if (!setting.ok) return { ...base, status: tell(refuse(setting.problem)), remove: NOTHING_TO_REMOVE };
  const made = { subnet: wish.subnet, definition: wish.definition, remove: listSuperfluous(network, active) };
  const unmade = findUnmade(active, network);
  if (unmade !== undefined) return { ...base, ...made, status: tell(refuse(unmade)) };
  const { patch, notes } = setting.value;
  const status = tell(deriveReady(nodes, notes));
  return { ...base, ...made, status, ...(patch === undefined ? {} : { kubevirt: { object: kubevirt, patch } }) };
}

/** What KubeVirt is told, or why nothing is to be made or set. */
function findSetting(network: MigrationNetwork, active: Active, nodes: readonly NodeTruth[]): Result<KubevirtPlan> {
  const { facts, wish, kubevirt } = active;
  const problem =
    findTrouble(network, wish, facts) ?? findShortage(wish.ranges, nodes.length) ?? findTaken(network, wish, facts);
  if (problem !== undefined) return { ok: false, problem };
  return planKubevirt(kubevirt, network.metadata.name, { network: wish.nad, bandwidth: network.spec.bandwidth });
}

/** Problem: NameTaken, for an object of that name which is not ours. */
function findTaken({ metadata }: MigrationNetwork, wish: Wish, facts: MigrationFacts): Problem | undefined {
  const subnet = wish.subnet && findSubnet(metadata.name, facts);
  const nad = wish.definition && findNad(wish, facts);
  const [taken] = [
    subnet && !isOwnSubnet(subnet, metadata.name) ? [`Subnet ${subnet.metadata.name}`] : [],
    nad && !isOwnNad(nad, metadata.name) ? [`NetworkAttachmentDefinition ${wish.nad}`] : [],
  ].flat();
  if (taken === undefined) return undefined;
  return { reason: 'NameTaken', message: `${taken} exists and was not made by this MigrationNetwork` };
}

const findSubnet = (network: string, { subnets }: MigrationFacts): Subnet | undefined =>
  subnets.find(({ metadata }) => metadata.name === formatMigrationSubnet(network));

const findNad = ({ definition }: Wish, { nads }: MigrationFacts): NetworkAttachmentDefinition | undefined =>
  nads.find(
    ({ metadata }) =>
      metadata.name === definition?.metadata.name && metadata.namespace === definition.metadata.namespace,
  );

/** What KubeVirt's virt-handlers need has to be there before they are told to ask for it: a pod without it cannot start. */
function findUnmade({ wish, facts }: Active, { metadata }: MigrationNetwork): Problem | undefined {
  const subnet = findSubnet(metadata.name, facts);
  const isLeaving = subnet?.metadata.deletionTimestamp !== undefined;
  const isSubnetMissing = wish.subnet !== undefined && (subnet === undefined || isLeaving);
  const isNadMissing = wish.definition !== undefined && findNad(wish, facts) === undefined;
  if (isSubnetMissing || isNadMissing) {
    return { reason: 'SubnetNotReady', message: 'Subnet and NetworkAttachmentDefinition are being made' };
  }
  if (wish.subnet === undefined || facts.subnetProblem === undefined) return undefined;
  return { reason: 'SubnetNotReady', message: `Subnet ${subnet?.metadata.name}: ${facts.subnetProblem.message}` };
}

/** What an earlier state of the spec asked for, once no virt-handler is on it. */
function listSuperfluous({ metadata }: MigrationNetwork, { wish, facts, kubevirt }: Active): MigrationPlan['remove'] {
  const set = kubevirt.spec?.configuration?.migrations?.network;
  const nads = facts.nads.filter((nad) => {
    const { name, namespace = '' } = nad.metadata;
    if (!isOwnNad(nad, metadata.name)) return false;
    const isWanted = wish.definition?.metadata.name === name && wish.definition.metadata.namespace === namespace;
    const isSet = set === name && kubevirt.metadata.namespace === namespace;
    return !isWanted && !isSet && listUsers(facts.handlers, `${namespace}/${name}`).length === 0;
  });
  const subnets = facts.subnets.filter((subnet) => wish.subnet === undefined && isOwnSubnet(subnet, metadata.name));
  return { nads, subnets };
}
