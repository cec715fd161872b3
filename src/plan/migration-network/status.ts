import type { KubeVirt } from '../../api/objects.ts';
import type { Problem } from '../../api/problem.ts';
import type { MigrationNetwork } from '../../api/types.gen.ts';
import { isFalse, isTrue, type Moment, planConditions, type Verdict } from '../conditions.ts';
import type { NodeTruth } from './handlers.ts';
import { readPresent } from './kubevirt.ts';
import { deriveApart, type Sent } from './memory.ts';

export type StatusFacts = {
  readonly verdict: Verdict;
  readonly kubevirt?: KubeVirt | undefined;
  readonly nodes?: readonly NodeTruth[];
  readonly sent?: readonly Sent[];
};

/** An object may have 1.5 MiB: of more nodes those are told that are not ready. */
const MOST_NODES = 500;

/** The status as a merge patch: what does not hold any more is null. */
export function formatStatus(network: MigrationNetwork, facts: StatusFacts, moment: Moment): Record<string, unknown> {
  const { verdict, kubevirt, nodes = [] } = facts;
  const sent = facts.sent ?? network.status?.lastMigrations ?? [];
  const verdicts = { Ready: verdict, MemoryApart: deriveApart(sent) };
  return {
    conditions: planConditions(network.status?.conditions, verdicts, moment),
    kubevirt: kubevirt === undefined ? null : formatKubevirt(kubevirt),
    nodesReady: facts.nodes === undefined ? null : `${countReady(nodes)}/${nodes.length}`,
    nodes: nodes.toSorted((a, b) => Number(a.ready) - Number(b.ready)).slice(0, MOST_NODES),
    lastMigrations: sent,
  };
}

const countReady = (nodes: readonly NodeTruth[]): number => nodes.filter(({ ready }) => ready).length;

function formatKubevirt(kubevirt: KubeVirt) {
  const { namespace = '', name } = kubevirt.metadata;
  return { namespace, name, network: readPresent(kubevirt).network?.slice(0, 253) ?? null };
}

export const refuse = ({ reason, message }: Problem): Verdict => isFalse(reason, message);

/** Whether every virt-handler is on the network; while they are not, migrations of their nodes use the pod network. */
export function deriveReady(nodes: readonly NodeTruth[], notes: readonly string[]): Verdict {
  const behind = nodes.filter(({ ready }) => !ready);
  const [first] = behind;
  if (nodes.length === 0)
    return isFalse('VirtHandlerNotRunning', ['no node has a virt-handler yet', ...notes].join('; '));
  const count = `${countReady(nodes)} of ${nodes.length} virt-handlers have migration0`;
  if (first === undefined) return isTrue('Ready', [count, ...notes].join('; '));
  const why = `node ${first.node}: ${first.message}`;
  return isFalse('VirtHandlersRolling', [`${count}; KubeVirt restarts every one of them; ${why}`, ...notes].join('; '));
}
