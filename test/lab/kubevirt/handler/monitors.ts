import { pathsOf } from '../../guest/guest.ts';
import { connectQmp, type Qmp, QmpError, type QmpEvent } from '../../guest/qmp.ts';

/** Kept connections to the monitors of a node's guests, by launcher. */
export type Monitors = {
  /** The guest's monitor; undefined when it does not answer. */
  find(podUid: string, dir: string): Promise<Qmp | undefined>;
  drop(podUid: string): void;
};

/** QEMU opens its monitor soon after its start; one that has closed rarely comes back. */
const FIRST_MS = 2000;
const AGAIN_MS = 50;

/** `onEvent` hears every event of every guest, and `CLOSED` when a monitor goes away with its QEMU. */
export function createMonitors(onEvent: (podUid: string, event: QmpEvent) => void): Monitors {
  const open = new Map<string, Qmp>();
  return {
    find: async (podUid, dir) => {
      const known = open.get(podUid);
      if (known !== undefined && !known.closed) return known;
      const limit = known === undefined ? FIRST_MS : AGAIN_MS;
      const qmp = await connectQmp(pathsOf(dir).qmp, limit).catch(() => undefined);
      if (qmp === undefined) return undefined;
      open.set(podUid, qmp);
      qmp.on('event', (event) => onEvent(podUid, event));
      qmp.on('close', () => onEvent(podUid, { event: 'CLOSED', data: {}, at: Date.now() }));
      await askForEvents(qmp);
      return qmp;
    },
    drop: (podUid) => {
      open.get(podUid)?.close();
      open.delete(podUid);
    },
  };
}

/** QEMU refuses while it migrates; whoever began that had asked for them before. */
async function askForEvents(qmp: Qmp): Promise<void> {
  const capabilities = [{ capability: 'events', state: true }];
  await qmp.execute('migrate-set-capabilities', { capabilities }).catch((error: unknown) => {
    if (!(error instanceof QmpError)) throw error;
  });
}

/** QEMU's run state and the state of its last migration. */
export async function readGuest(qmp: Qmp): Promise<{ run: string | undefined; migrate: string | undefined }> {
  const status = (await qmp.execute('query-status')) as { status?: string };
  const migrate = (await qmp.execute('query-migrate')) as { status?: string };
  return { run: status.status, migrate: migrate.status };
}
