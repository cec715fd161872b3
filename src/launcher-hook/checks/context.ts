import { makeRequestContext } from '../../plan/requests/context.ts';
import type { RequestContext } from '../../plan/requests/types.ts';
import type { CheckCluster } from './types.ts';

/** What the requests of a namespace's guests are judged against, from the webhook's caches. */
export function makeCheckContext(namespace: string, cluster: CheckCluster): RequestContext {
  const pools = new Map(cluster.listPools().map((pool) => [pool.metadata.name, pool]));
  return makeRequestContext(
    {
      ...cluster.settings,
      subnets: cluster.listSubnets(),
      findVpc: (name) => cluster.findVpc(name),
      findPool: (name) => pools.get(name),
      findNamespace: (name) => cluster.findNamespace(name),
      findNad: (of, name) => cluster.findNad(of, name),
    },
    namespace,
  );
}
