import type { RequestContext } from '../../plan/requests.ts';
import type { Context } from '../context.ts';

/** What the requests of a namespace's objects are judged against, from the caches. */
export function makeRequestContext({ world, settings }: Context, namespace: string): RequestContext {
  return {
    grants: {
      subnets: world.subnets.store.list().filter((subnet) => subnet.metadata.deletionTimestamp === undefined),
      defaultSubnet: settings.defaultSubnet,
      namespace: world.namespaces.store.get(namespace) ?? { metadata: { name: namespace } },
    },
    primary: settings.primary,
    findNad: (nadNamespace, name) => world.nads.store.get(`${nadNamespace}/${name}`),
  };
}
