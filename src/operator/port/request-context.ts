import { makeRequestContext as makePlanContext } from '../../plan/requests/context.ts';
import type { RequestContext } from '../../plan/requests/types.ts';
import type { Context } from '../context.ts';

/** What the requests of a namespace's objects are judged against, from the caches. */
export function makeRequestContext({ world, settings }: Context, namespace: string): RequestContext {
  return makePlanContext(
    {
      subnets: world.subnets.store.list(),
      defaultSubnet: settings.defaultSubnet,
      defaultVpc: settings.defaultVpc,
      primary: settings.primary,
      findVpc: (name) => world.vpcs.store.get(name),
      findPool: (name) => world.ipPools.store.get(name),
      findNamespace: (name) => world.namespaces.store.get(name),
      findNad: (nadNamespace, name) => world.nads.store.get(`${nadNamespace}/${name}`),
    },
    namespace,
  );
}
