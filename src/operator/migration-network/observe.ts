import { formatMigrationSubnet } from '../../api/names.ts';
import type { MigrationNetwork } from '../../api/types.gen.ts';
import { findKubevirt, type MigrationFacts } from '../../plan/migration-network/types.ts';
import { isOwnNad } from '../../plan/migration-network/wish.ts';
import type { Context } from '../context.ts';

/** Everything that a MigrationNetwork depends on, from the caches. */
export function observeMigrationNetwork(context: Context, network: MigrationNetwork): MigrationFacts {
  const { world, settings, addresses } = context;
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
    nads: world.nads.store.list().filter((nad) => nad.metadata.namespace === namespace || isOwnNad(nad, name)),
    subnetProblem: addresses.plans().get(formatMigrationSubnet(name))?.problem,
    handlers: world.pods.store.byIndex('handler', namespace),
    vmis: world.vmis.store.byIndex('target', ''),
  };
}

/** A chassis stays in the database when its node is gone. */
function listUplinks({ world, bindings }: Context): Map<string, string> {
  const told = bindings.listChassis().filter(({ name }) => world.nodes.store.get(name) !== undefined);
  return new Map(told.flatMap(({ name, uplink }) => (uplink === undefined ? [] : [[name, uplink]])));
}
