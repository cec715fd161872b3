import type { Problem } from '../api/problem.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import { deriveOwner, deriveStanding, type Lives } from './ownership.ts';
import type { NicRequest, RequestPlan } from './requests.ts';

type Owner = LogicalPort['spec']['owner'];

export type PortsInput = {
  readonly name: string;
  readonly lives: Lives;
  /** Every LogicalPort of this name, of whatever life. */
  readonly ports: readonly LogicalPort[];
  readonly plan: RequestPlan;
};

/** What is to become of the ports of one name. */
export type PortsPlan = {
  readonly keep: readonly { readonly port: LogicalPort; readonly owner: Owner; readonly request?: NicRequest }[];
  readonly create: readonly { readonly owner: Owner; readonly request: NicRequest }[];
  readonly release: readonly LogicalPort[];
  /** NICs that must wait for the release of a port of an earlier life. */
  readonly waiting: readonly string[];
  readonly problems: readonly { readonly nic: string; readonly problem: Problem }[];
};

/**
 * Keeps the ports whose owner lives, adopts those whose guest does, releases those whose life is over or whose NIC is
 * gone, and makes what is missing. A NIC with a problem keeps the port it has.
 */
export function planPorts(input: PortsInput): PortsPlan {
  const { lives, ports, plan } = input;
  const owner = deriveOwner(input.name, lives);
  const standings = ports.map((port) => ({ port, standing: deriveStanding(port, lives) }));
  const isWanted = (port: LogicalPort) => isNicWanted(port.spec.nic, plan);
  const kept = standings.filter(({ port, standing }) => isKept(standing, isWanted(port), owner));
  const release = standings.filter((entry) => !kept.includes(entry)).map(({ port }) => port);
  const covered = new Set(kept.map(({ port }) => port.spec.nic));
  const leaving = new Set(release.map((port) => port.spec.nic));
  const missing = plan.requests.filter((request) => !covered.has(request.nic) && !request.absent);
  const isWaiting = (request: NicRequest) => leaving.has(request.nic);
  return {
    keep: kept.map(({ port, standing }) => {
      const request = plan.requests.find((candidate) => candidate.nic === port.spec.nic);
      const adopted = standing === 'adoptable' && owner !== undefined ? owner : port.spec.owner;
      return { port, owner: adopted, ...(request === undefined ? {} : { request }) };
    }),
    create:
      owner === undefined ? [] : missing.filter((item) => !isWaiting(item)).map((request) => ({ owner, request })),
    release,
    waiting: owner === undefined ? [] : missing.filter(isWaiting).map((request) => request.nic),
    problems: plan.problems,
  };
}

function isNicWanted(nic: string, plan: RequestPlan): boolean {
  return plan.requests.some((request) => request.nic === nic) || plan.problems.some((item) => item.nic === nic);
}

/** While the owner is on its way out nobody can tell whether a NIC is wanted: it stays until the life is over. */
function isKept(standing: ReturnType<typeof deriveStanding>, wanted: boolean, owner: Owner | undefined): boolean {
  if (standing === 'orphaned') return false;
  return wanted || standing === 'held' || owner === undefined;
}
