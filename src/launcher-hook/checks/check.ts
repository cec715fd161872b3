import type { Reason } from '../../api/reasons.ts';
import { checkAnnotations, countAnnotations } from '../../plan/requests/annotation-limit.ts';
import { listNameTraps, parsePluginNetworks } from '../../plan/requests/launcher-names.ts';
import { planVmRequests } from '../../plan/requests/requests.ts';
import type { NicProblem, RequestContext } from '../../plan/requests/types.ts';
import { listVmNics } from '../../plan/requests/vm-nics.ts';
import { type Admission, ALLOWED, type Judge } from '../admission.ts';
import { checkAddresses } from './addresses.ts';
import { makeCheckContext } from './context.ts';
import { formatDenial, formatWarnings } from './format.ts';
import { type Guest, parseGuest } from './guest.ts';
import { checkMac, checkTwins } from './macs.ts';
import { listStrangers } from './strangers.ts';
import { type CheckCluster, deny, type Problem, warn } from './types.ts';

/**
 * What is wrong with the requests of a VM or VMI, by the operator's own parsers and rules; the operator checks all of it
 * again. Nothing for other kinds, for deletions and for objects that are being deleted. At an update only what the update
 * brings denies: an old mistake is warned of, and the object can still be edited. Pure; takes any JSON and never throws.
 */
export function checkRequest(admission: Admission, cluster: CheckCluster): Problem[] {
  const guest = parseGuest(admission, admission.object, cluster);
  if (guest === undefined) return [];
  const problems = checkGuest(guest, cluster);
  const before = admission.operation === 'UPDATE' ? parseGuest(admission, admission.oldObject, cluster) : undefined;
  if (problems.length === 0 || before === undefined) return problems;
  const known = new Set(checkGuest(before, cluster).map(formatKey));
  return problems.map((problem) => (known.has(formatKey(problem)) ? { ...problem, severity: 'warning' } : problem));
}

/** The same problem, and as grave. */
const formatKey = ({ severity, reason, nic, message }: Problem): string =>
  JSON.stringify([severity, reason, nic, message]);

/** The checks as the webhook asks them; it wants to be asked again where only a cache that is behind may have made it deny. */
export function createCheckJudge(cluster: CheckCluster): Judge {
  return (admission) => {
    const problems = checkRequest(admission, cluster);
    const warnings = formatWarnings(problems);
    const message = formatDenial(problems, admission);
    if (message === '') return { ...ALLOWED, warnings };
    return { allowed: false, message, warnings, patch: [], isPerhapsLate: isPerhapsLate(problems) };
  };
}

/** Reasons that a cache which is behind may be the cause of: who denies by them alone asks once more a moment later. */
const PERHAPS_LATE: readonly Reason[] = [
  'NetworkAttachmentNotFound',
  'SubnetNotFound',
  'PoolNotFound',
  'VpcNotAllowed',
];

/** True when each denial may be due to an object that was made a moment ago, as by one `kubectl apply` for all. */
export function isPerhapsLate(problems: readonly Problem[]): boolean {
  const denials = problems.filter(({ severity }) => severity === 'denial');
  return denials.length > 0 && denials.every(({ reason }) => PERHAPS_LATE.includes(reason));
}

/** No VMI could be made of it, and nobody has to read it. */
function checkSize({ launcherAnnotations }: Guest): Problem[] {
  const problem = checkAnnotations(countAnnotations(launcherAnnotations));
  return problem === undefined ? [] : [deny(problem)];
}

function checkGuest(guest: Guest, cluster: CheckCluster): Problem[] {
  const tooLong = checkSize(guest);
  return tooLong.length > 0 ? tooLong : checkNics(guest, cluster);
}

function checkNics(guest: Guest, cluster: CheckCluster): Problem[] {
  const context = makeCheckContext(guest.namespace, cluster);
  const plan = planVmRequests(guest.spec, guest.sources, context);
  const absent = new Set(listVmNics(guest.spec).flatMap(({ name, absent: isAbsent }) => (isAbsent ? [name] : [])));
  const requests = plan.requests.filter((request) => !request.absent);
  const asked = plan.problems.filter(({ nic }) => !absent.has(nic)).map((problem) => judge(problem, cluster, context));
  const macs = requests.flatMap((request) => checkMac(request, guest, cluster));
  const others = [
    ...checkNames(guest, cluster),
    ...listStrangers(guest),
    ...asked,
    ...checkTwins(requests, cluster),
    ...requests.flatMap((request) => checkAddresses(request, guest, cluster)),
  ];
  // KubeVirt makes the VMI of a VM that was judged already; only now it is certain that it starts.
  return guest.ofVm ? [...others.map((problem) => warn(problem, problem.nic)), ...macs] : [...others, ...macs];
}

function checkNames({ launcherAnnotations: annotations, spec, namespace }: Guest, cluster: CheckCluster): Problem[] {
  const plugins = parsePluginNetworks(cluster.findKubevirt());
  const traps = listNameTraps({ annotations, spec, namespace, plugins });
  return traps.map(({ problem, nic, isCertain }) => (isCertain ? deny(problem, nic) : warn(problem, nic)));
}

/** What others than the user put right, or what is only not to be seen yet. */
function judge({ nic, problem }: NicProblem, cluster: CheckCluster, context: RequestContext): Problem {
  const prefix = `NIC ${nic}: `;
  const { reason } = problem;
  const message = problem.message.startsWith(prefix) ? problem.message.slice(prefix.length) : problem.message;
  const isWaiting =
    reason === 'SubnetNotReady' ||
    reason === 'VpcNotFound' ||
    (reason === 'SubnetNotFound' && isDefaultMissing(message, context)) ||
    (reason === 'SubnetNotAllowed' && cluster.findNamespace(context.grants.namespace.metadata.name) === undefined);
  return isWaiting ? warn({ reason, message }, nic) : deny({ reason, message }, nic);
}

/** The cluster's own subnet is not made yet: no user's mistake. */
function isDefaultMissing(message: string, { grants: { subnets, defaultSubnet } }: RequestContext): boolean {
  const isMissing = subnets.every(({ metadata }) => metadata.name !== defaultSubnet);
  return isMissing && message === `subnet ${JSON.stringify(defaultSubnet)} does not exist`;
}
