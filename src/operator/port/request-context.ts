import type { ObjectMeta } from '../../api/types.gen.ts';
import type { RequestContext } from '../../plan/requests/types.ts';
import type { Context } from '../context.ts';

/** What the requests of a namespace's objects are judged against, from the caches. */
export function makeRequestContext({ world, settings }: Context, namespace: string): RequestContext {
  return {
    grants: {
      subnets: world.subnets.store.list().filter((subnet) => subnet.metadata.deletionTimestamp === undefined),
      defaultSubnet: settings.defaultSubnet,
      defaultVpc: settings.defaultVpc,
      findVpc: (name) => findLiving(world.vpcs.store.get(name)),
      findPool: (name) => findLiving(world.ipPools.store.get(name)),
      namespace: world.namespaces.store.get(namespace) ?? { metadata: { name: namespace } },
    },
    primary: settings.primary,
    findNad: (nadNamespace, name) => world.nads.store.get(`${nadNamespace}/${name}`),
  };
}

const findLiving = <T extends { metadata: ObjectMeta }>(object: T | undefined): T | undefined =>
  object?.metadata.deletionTimestamp === undefined ? object : undefined;
