import { z } from 'zod';
import { waitFor } from './command.ts';
import { isApiReady, kubectl } from './kubectl.ts';
import { isAlive, listProcesses } from './process.ts';
import type { LabState } from './state.ts';

export type NodeHealth = 'ready' | 'needs network' | 'not ready';

const nodeList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z.object({
        conditions: z
          .array(z.object({ type: z.string(), status: z.string(), message: z.string().optional() }))
          .optional(),
      }),
    }),
  ),
});

/**
 * How each node is, from the text of `kubectl get nodes -o json`. `needs network` is a node whose only complaint is
 * that no CNI configuration is installed; it is as good as a lab without the product can be.
 */
export function parseNodes(text: string): Map<string, NodeHealth> {
  const { items } = nodeList.parse(JSON.parse(text));
  return new Map(
    items.map((item) => {
      const ready = item.status.conditions?.find((condition) => condition.type === 'Ready');
      if (ready?.status === 'True') return [item.metadata.name, 'ready'];
      const message = ready?.message ?? '';
      const complaints = message.replace(/^\[|\]$/g, '').split(', ');
      const network =
        ready?.status === 'False' && complaints.every((part) => part.includes('cni plugin not initialized'));
      return [item.metadata.name, network ? 'needs network' : 'not ready'];
    }),
  );
}

/** Health of the lab's nodes as the API server tells it. */
export async function findNodes(lab: LabState): Promise<Map<string, NodeHealth>> {
  return parseNodes(await kubectl(lab, ['get', 'nodes', '-o', 'json']));
}

/** Awaits until every node is ready or misses only the network; the nodes that are not, else. */
export async function waitForNodes(lab: LabState, timeoutMs: number): Promise<string[]> {
  let waiting = lab.nodes.map((node) => node.name);
  await waitFor(
    async () => {
      const health = await findNodes(lab);
      waiting = lab.nodes.map((node) => node.name).filter((name) => (health.get(name) ?? 'not ready') === 'not ready');
      return waiting.length === 0 ? true : undefined;
    },
    timeoutMs,
    250,
  );
  return waiting;
}

/** A part that is not as it should be: `kubevirt` can be started again, `cluster` needs a new lab. */
export type Problem = { readonly part: 'cluster' | 'kubevirt'; readonly text: string };

const CLUSTER = /^(etcd|apiserver|kcm|scheduler|(namespaces|containerd|kubelet)-node\d+)$/;
const KUBEVIRT = /^kubevirt-/;

/** The part that a recorded process belongs to; undefined for those that demo and tests start and end as they like. */
export function findPart(name: string): Problem['part'] | undefined {
  if (CLUSTER.test(name)) return 'cluster';
  return KUBEVIRT.test(name) ? 'kubevirt' : undefined;
}

/** What is wrong with a lab that should be up; empty when it is healthy. */
export async function findProblems(lab: LabState): Promise<Problem[]> {
  const cluster = (text: string): Problem => ({ part: 'cluster', text });
  if (lab.phase !== 'up') return [cluster('it was not brought up to the end')];
  const dead = findDead(lab);
  if (dead.some((problem) => problem.part === 'cluster')) return dead;
  if (!(await isApiReady(lab))) return [cluster(`the API server at ${lab.apiserver.url} is not ready`)];
  const health = await findNodes(lab);
  const ill = lab.nodes.filter((node) => (health.get(node.name) ?? 'not ready') === 'not ready');
  const nodes = ill.map((node) => cluster(`${node.name} is not ready, see ${lab.dir}/log/kubelet-${node.name}.log`));
  return [...nodes, ...dead];
}

function findDead(lab: LabState): Problem[] {
  return listProcesses(lab.dir).flatMap((record) => {
    const part = findPart(record.name);
    return part === undefined || isAlive(record) ? [] : [{ part, text: `${record.name} has ended, see ${record.log}` }];
  });
}
