import { formatMigrationSubnet } from '../../api/names.ts';
import type { MigrationNetwork } from '../../api/types.gen.ts';
import { findKubevirt, type MigrationFacts } from '../../plan/migration-network/types.ts';
import { isOwnedBy } from '../../plan/migration-network/wish.ts';
import type { Context } from '../context.ts';

/** Everything that a MigrationNetwork depends on, from the caches. */
export function observeMigrationNetwork(context: Context, network: MigrationNetwork): MigrationFacts {
  const { world, settings, bindings, addresses } = context;
  const kubevirts = world.kubevirts.store.list();
  const namespace = findKubevirt(kubevirts)?.metadata.namespace ?? '';
  const { name } = network.metadata;
  return {
    networks: world.migrationNetworks.store.list(),
    kubevirts,
    subnets: world.subnets.store.list(),
    join: settings.join,
    nodes: world.nodes.store.list(),
    uplinks: listUplinks(context),
    nads: world.nads.store.list().filter((nad) => nad.metadata.namespace === namespace || isOwnedBy(nad, name)),
    subnetProblem: addresses.plans().get(formatMigrationSubnet(name))?.problem,
    handlers: world.pods.store.byIndex('handler', namespace),
    vmis: world.vmis.store.byIndex('target', ''),
  };

  function listUplinks({ world: { nodes } }: Context): Map<string, string> {
    const told = bindings.listChassis().filter((chassis) => nodes.store.get(chassis.name) !== undefined);
    return new Map(told.flatMap((chassis) => (chassis.uplink === undefined ? [] : [[chassis.name, chassis.uplink]])));
  }
}
