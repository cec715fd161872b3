import { applyThings, type Context, expectSoon, findThing } from './demo/context.ts';
import { kubectl } from './kubectl.ts';

const KIND = 'migrationnetworks.mooring.dev';

/** A migration network on the nodes' link `migration`. */
export type LabMigrationNetwork = { readonly name: string; readonly cidrBlock: string };

type Status = { nodesReady?: string; conditions?: { type: string; status: string }[] };

/** Makes it and awaits that every virt-handler has an address on it; returns how many nodes have: "3/3". */
export async function openMigrationNetwork(
  context: Context,
  { name, cidrBlock }: LabMigrationNetwork,
): Promise<string> {
  const spec = { uplink: { interface: 'migration' }, cidrBlock };
  await applyThings(context, [
    { apiVersion: 'mooring.dev/v1alpha1', kind: 'MigrationNetwork', metadata: { name }, spec },
  ]);
  return expectSoon('a migration network on every node', 120, async () => {
    const status = (await findThing(context, KIND, name))?.status as Status | undefined;
    const isReady = status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True');
    return isReady === true ? status?.nodesReady : undefined;
  });
}

export async function closeMigrationNetwork({ lab }: Context, { name }: LabMigrationNetwork): Promise<void> {
  await kubectl(lab, ['delete', KIND, name, '--ignore-not-found', '--timeout=90s'], { timeoutMs: 100_000 });
}

/** By which network the memory of a migration went, as the operator saw it. */
export function findMemoryPath(context: Context, { name }: LabMigrationNetwork, migrationUid: string): Promise<string> {
  return expectSoon(`the way of the memory of migration ${migrationUid}`, 20, async () => {
    const { lastMigrations = [] } = (await findThing(context, KIND, name))?.status ?? {};
    return (lastMigrations as { uid: string; network: string }[]).find(({ uid }) => uid === migrationUid)?.network;
  });
}
