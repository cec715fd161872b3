import type { Namespace } from '../../api/objects.ts';
import type { IPPool, ObjectMeta, Subnet, Vpc } from '../../api/types.gen.ts';
import type { RequestContext } from './types.ts';

/** Where the objects come from that requests are judged against, those that are being deleted among them. */
export type RequestSources = {
  readonly subnets: readonly Subnet[];
  readonly defaultSubnet: string;
  readonly defaultVpc: string;
  readonly primary: boolean;
  readonly findVpc: (name: string) => Vpc | undefined;
  readonly findPool: (name: string) => IPPool | undefined;
  readonly findNamespace: (name: string) => Pick<Namespace, 'metadata'> | undefined;
  readonly findNad: RequestContext['findNad'];
};

/** What the requests of a namespace's objects are judged against: operator and webhook leave out the same objects. */
export function makeRequestContext(sources: RequestSources, namespace: string): RequestContext {
  const { subnets, defaultSubnet, defaultVpc, primary, findVpc, findPool, findNamespace, findNad } = sources;
  return {
    grants: {
      subnets: subnets.filter((subnet) => subnet.metadata.deletionTimestamp === undefined),
      defaultSubnet,
      defaultVpc,
      findVpc: (name) => findLiving(findVpc(name)),
      findPool: (name) => findLiving(findPool(name)),
      namespace: findNamespace(namespace) ?? { metadata: { name: namespace } },
    },
    primary,
    findNad,
  };
}

const findLiving = <T extends { metadata: ObjectMeta }>(object: T | undefined): T | undefined =>
  object?.metadata.deletionTimestamp === undefined ? object : undefined;
