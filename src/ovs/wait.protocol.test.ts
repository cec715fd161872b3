import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startOvs, type TestOvs } from '../../test/ovs/database.ts';
import { mutateOp, type Operation, updateOp, wireMap, wireSet } from '../ovsdb/operations.ts';
import { deletePortOps, ensurePortOps } from './ports.ts';
import { waitInstalled } from './wait.ts';

let db: TestOvs;
beforeEach(async () => {
  db = await startOvs();
  await write(
    ...ensurePortOps(db.ovs, {
      bridge: 'br-int',
      name: 'm0123',
      kind: 'pod',
      externalIds: new Map([
        ['iface-id', 'vm/ns/vm/default'],
        ['iface-id-ver', 'uid-1'],
      ]),
    }),
  );
});
afterEach(async () => {
  await db[Symbol.asyncDispose]();
});

const write = (...operations: Operation[]) => db.ovs.client.transactAndSync(operations);
const where = [['name', '==', 'm0123']] as const;
const setId = (key: string, value: string): Operation[] => [
  mutateOp('Interface', where, [['external_ids', 'delete', wireSet([key])]]),
  mutateOp('Interface', where, [['external_ids', 'insert', wireMap([[key, value]])]]),
];
const never = new AbortController().signal;

describe('waitInstalled', () => {
  it('resolves at once when the flows are there already', async () => {
    await write(...setId('ovn-installed', 'true'));
    await waitInstalled(db.ovs, 'm0123', never);
  });

  it('is woken by the monitor, and not by changes that do not matter', async () => {
    let done = false;
    const waiting = waitInstalled(db.ovs, 'm0123', never).then(() => {
      done = true;
    });
    await write(updateOp('Interface', where, { ofport: 5n }));
    await write(...setId('ovn-installed', 'false'));
    expect(done).toBe(false);
    await write(...setId('ovn-installed', 'true'));
    await waiting;
  });

  it('rejects for an interface that is not there', async () => {
    await expect(waitInstalled(db.ovs, 'none', never)).rejects.toMatchObject({ code: 'interface-missing' });
  });

  it.each<[string, () => Operation[], string]>([
    ['the port goes', () => deletePortOps(db.ovs, 'm0123'), 'evicted'],
    ['it gets another iface-id', () => setId('iface-id', 'other'), 'evicted'],
    ['it gets another iface-id-ver', () => setId('iface-id-ver', 'uid-2'), 'evicted'],
    [
      'ovs-vswitchd cannot use it',
      () => [updateOp('Interface', where, { ofport: -1n, error: 'could not open network device' })],
      'interface-failed',
    ],
  ])('rejects when %s', async (_name, operations, code) => {
    const waiting = expect(waitInstalled(db.ovs, 'm0123', never)).rejects.toMatchObject({ code });
    await write(...operations());
    await waiting;
  });

  it.each([
    ['before', true],
    ['while waiting', false],
  ])("rejects with the signal's reason when aborted %s", async (_name, early) => {
    const abort = new AbortController();
    const reason = new Error('deadline');
    if (early) abort.abort(reason);
    const waiting = expect(waitInstalled(db.ovs, 'm0123', abort.signal)).rejects.toBe(reason);
    abort.abort(reason);
    await waiting;
  });

  it('listens no longer than it waits', async () => {
    let listeners = 0;
    const client = {
      onChange: (listener: Parameters<typeof db.ovs.client.onChange>[0]) => {
        listeners++;
        const stop = db.ovs.client.onChange(listener);
        return () => {
          listeners--;
          stop();
        };
      },
    };
    const abort = new AbortController();
    const waits = [never, abort.signal].map((signal) =>
      waitInstalled({ indexes: db.ovs.indexes, client }, 'm0123', signal),
    );
    expect(listeners).toBe(2);
    abort.abort(new Error('deadline'));
    await expect(waits[1]).rejects.toThrow('deadline');
    expect(listeners).toBe(1);
    await write(...setId('ovn-installed', 'true'));
    await waits[0];
    expect(listeners).toBe(0);
  });
});
