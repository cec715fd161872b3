import type { KubeVirt, Node, Pod, VirtualMachineInstance } from '../../api/objects.ts';
import type { Subnet } from '../../api/types.gen.ts';
import type { Change, KubeObject } from '../../kube/index.ts';
import { isHandler, isSchedulable } from '../../plan/migration-network/handlers.ts';
import { findKubevirt } from '../../plan/migration-network/types.ts';
import { serializeIps } from '../addresses.ts';
import type { Context } from '../context.ts';

type Inbox = { add(key: string): void };

/**
 * Turns what migration networks depend on into their keys. There is one, or a few by mistake: each looks again whenever
 * something changes that may concern one of them.
 */
export function routeMigrationNetworks({ world, bindings }: Context, inbox: Inbox): (() => void)[] {
  const { migrationNetworks } = world;
  const addAll = () => {
    for (const { metadata } of migrationNetworks.store.list()) inbox.add(`migrationnetwork/${metadata.name}`);
  };
  const onChange =
    <T extends KubeObject>(describe: (object: T) => unknown) =>
    (change: Change<T>) => {
      if (migrationNetworks.store.size() > 0 && !isSame(change, describe)) addAll();
    };
  // Anybody's pod may say that it is one.
  const isOurHandler = (pod: Pod) =>
    isHandler(pod) && pod.metadata.namespace === findKubevirt(world.kubevirts.store.list())?.metadata.namespace;
  return [
    migrationNetworks.onNews(addAll),
    world.kubevirts.onNews(onChange(describeKubevirt)),
    world.nads.onNews(addAll),
    world.subnets.onNews(onChange(describeSubnet)),
    world.nodes.onNews(onChange(describeNode)),
    world.pods.onNews((change) => {
      if (isOurHandler(change.object)) addAll();
    }),
    world.vmis.onNews(onChange(describeMigration)),
    bindings.onChassisChange(addAll),
  ];
}

function isSame<T>(change: Change<T>, describe: (object: T) => unknown): boolean {
  if (change.type !== 'updated') return describe(change.object) === undefined;
  return JSON.stringify(describe(change.object)) === JSON.stringify(describe(change.previous));
}

const describeKubevirt = ({ metadata, spec }: KubeVirt) => [metadata.uid, metadata.annotations, spec];

const describeSubnet = ({ metadata, spec }: Subnet) => [
  metadata.uid,
  metadata.deletionTimestamp,
  metadata.ownerReferences,
  spec,
];

const describeNode = (node: Node) => [isSchedulable(node), serializeIps(node)];

/** Undefined for a guest that does not migrate and has not. */
function describeMigration({ status }: VirtualMachineInstance) {
  const { targetNodeAddress, migrationUid, completed, endTimestamp } = status?.migrationState ?? {};
  return targetNodeAddress === undefined ? undefined : [targetNodeAddress, migrationUid, completed, endTimestamp];
}
