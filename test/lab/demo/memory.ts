import { kubectl } from '../kubectl.ts';
import { applyThings, type Context, expectSoon, findThing } from './context.ts';

/** The network that guests' memory crosses, apart from everybody's. */
const NETWORK = 'demo-memory';
const KIND = 'migrationnetworks.mooring.dev';

const FORMAT = {
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'MigrationNetwork',
  metadata: { name: NETWORK },
  spec: { uplink: { interface: 'migration' }, cidrBlock: '198.18.4.0/24' },
};

type Status = { nodesReady?: string; conditions?: { type: string; status: string }[] };

/** Makes it and awaits that every virt-handler has an address on it; returns how many nodes have: "3/3". */
export async function openMigrationNetwork(context: Context): Promise<string> {
  await applyThings(context, [FORMAT]);
  return expectSoon('a migration network on every node', 120, async () => {
    const status = (await findThing(context, KIND, NETWORK))?.status as Status | undefined;
    const isReady = status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True');
    return isReady === true ? status?.nodesReady : undefined;
  });
}

export async function closeMigrationNetwork({ lab }: Context): Promise<void> {
  const argv = ['delete', KIND, NETWORK, '--ignore-not-found', '--timeout=90s'];
  await kubectl(lab, argv, { timeoutMs: 100_000 });
}

/** By which network the memory of a migration went, as the operator saw it. */
export function findMemoryPath(context: Context, migrationUid: string): Promise<string> {
  return expectSoon(`the way of the memory of migration ${migrationUid}`, 20, async () => {
    const { lastMigrations = [] } = (await findThing(context, KIND, NETWORK))?.status ?? {};
    return (lastMigrations as { uid: string; network: string }[]).find(({ uid }) => uid === migrationUid)?.network;
  });
}
