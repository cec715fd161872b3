import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { columnOf, liveTimes, openClient, type TestClient } from '../../test/ovsdb/client.ts';
import { startCluster, type TestCluster } from '../../test/ovsdb/cluster.ts';
import { type TestServer, until } from '../../test/ovsdb/server.ts';
import { insertOp, type Operation, type TransactOptions, transactOnce } from './index.ts';

/** The remotes with one of them first. */
function startingWith(cluster: TestCluster, first: TestServer): string[] {
  return [first.remote, ...cluster.remotes.filter((remote) => remote !== first.remote)];
}

async function write(client: TestClient, text: string): Promise<void> {
  await client.transactAndSync([insertOp('Note', { text })]);
}

/** What the members hold, one after the other, each read by a client of its own. */
async function readAll(cluster: TestCluster, expected: number): Promise<unknown[][]> {
  const contents: unknown[][] = [];
  for (const member of cluster.members.filter((m) => m.running)) {
    await using client = openClient([member.remote]);
    await client.whenLive();
    await until('the member has caught up', () => client.table('Note').size >= expected);
    contents.push(columnOf(client, 'Note', 'text'));
  }
  return contents;
}

/** Executes like the client, and counts how often it was asked to. */
function counting(client: TestClient) {
  const counted = {
    attempts: 0,
    whenLive: (signal?: AbortSignal) => client.whenLive(signal),
    transactAndSync: (operations: readonly Operation[], options?: TransactOptions) => {
      counted.attempts++;
      return client.transactAndSync(operations, options);
    },
  };
  return counted;
}

describe('against a cluster of three', () => {
  it('has the update before the answer on leader and followers, also when all write at once', async () => {
    await using cluster = await startCluster();
    await cluster.settled();
    const clients = cluster.members.map((member) => openClient([member.remote]));
    const missing: string[] = [];
    const writeMany = async (client: TestClient, who: number): Promise<void> => {
      for (let i = 0; i < 50; i++) {
        const [result] = await client.transactAndSync([insertOp('Note', { text: `${who}-${i}` })]);
        if (!client.table('Note').has(result?.uuid ?? '')) missing.push(`${who}-${i}`);
      }
    };
    await Promise.all(clients.map(writeMany));
    expect(missing).toEqual([]);
    await Promise.all(clients.map((client) => client.stop()));
    expect((await readAll(cluster, 150)).map((content) => content.length)).toEqual([150, 150, 150]);
  });

  it('resumes where it was when the connection broke, on the same member and on another', async () => {
    await using cluster = await startCluster();
    const [first, second] = cluster.members;
    if (first === undefined || second === undefined) throw new Error('no members');
    await using writer = openClient([cluster.members[2]?.remote ?? '']);
    await using client = openClient([first.remote, second.remote]);
    await write(client, 'a');
    client.batches.length = 0;
    await first.control('ovsdb-server/reconnect');
    await liveTimes(client, 2);
    expect(client.events.at(-1)).toMatchObject({ state: 'live', resumed: true });
    await first.kill('SIGKILL');
    await write(writer, 'b');
    await until('b is seen', () => columnOf(client, 'Note', 'text').length === 2);
    expect(client.events.filter((event) => event.state === 'live').every((event, i) => event.resumed === i > 0)).toBe(
      true,
    );
    expect(client.batches.flat().map((change) => change.new?.text)).toEqual(['b']);
  });

  it('F06 takes a whole dump as a difference when the history is too long to resume', async () => {
    await using cluster = await startCluster();
    const [first, second] = cluster.members;
    if (first === undefined || second === undefined) throw new Error('no members');
    await using writer = openClient([second.remote]);
    await using client = openClient([first.remote]);
    await write(client, 'old');
    await first.kill('SIGKILL');
    client.batches.length = 0;
    for (let i = 0; i < 150; i++) await write(writer, `new${i}`);
    await first.start();
    await until('all is seen', () => client.table('Note').size === 151);
    expect(client.batches.flat().every((change) => change.old === undefined && change.new?.text !== 'old')).toBe(true);
    expect(client.batches.flat()).toHaveLength(150);
    expect(client.events.findLast((event) => event.state === 'live')?.resumed).toBe(false);
  });

  it('keeps to the leader when told to, and follows when leadership is handed over', async () => {
    await using cluster = await startCluster();
    await cluster.settled();
    const before = await cluster.leader();
    const follower = await cluster.follower();
    await using client = openClient(startingWith(cluster, follower), { leaderOnly: true });
    await client.whenLive();
    expect(client.events.at(-1)?.remote).toBe(before.remote);
    await before.control('cluster/failure-test', 'transfer-leadership');
    await until(
      'another leader is used',
      () => client.state === 'live' && client.events.at(-1)?.remote !== before.remote,
    );
    expect(client.events.at(-1)?.remote).toBe((await cluster.leader()).remote);
    await write(client, 'x');
  });

  it('F04 leaves a leader that hangs and writes through another member', async () => {
    await using cluster = await startCluster();
    await cluster.settled();
    const leader = await cluster.leader();
    await using client = openClient(startingWith(cluster, leader), { probeIntervalMs: 200 });
    await write(client, 'before');
    leader.suspend();
    const outcome = await transactOnce(client, [insertOp('Note', { text: 'after' })], {
      isDone: () => columnOf(client, 'Note', 'text').includes('after'),
    });
    expect(outcome.found).toBe(false);
    leader.resume();
    expect(await readAll(cluster, 2)).toEqual(Array(3).fill(['after', 'before']));
  });

  it('leaves a member that is cut off from the others', async () => {
    await using cluster = await startCluster();
    await cluster.settled();
    const follower = await cluster.follower();
    await using client = openClient(startingWith(cluster, follower));
    await client.whenLive();
    await follower.control('cluster/failure-test', 'stop-raft-rpc');
    await until(
      'another member is used',
      () => client.state === 'live' && client.events.at(-1)?.remote !== follower.remote,
    );
    expect(client.events.find((event) => event.reason !== undefined)?.reason?.code).toBe('unsuitable-server');
    await write(client, 'x');
  });

  it('F05 concludes nothing from a member that has fallen behind: what it does not have is not gone', async () => {
    await using cluster = await startCluster();
    await cluster.settled();
    const leader = await cluster.leader();
    const stale = await cluster.follower();
    const remotes = [leader.remote, stale.remote];
    await using client = openClient(remotes, { probeIntervalMs: 200, requestTimeoutMs: 500 });
    await write(client, 'before');
    await stale.control('cluster/failure-test', 'stop-raft-rpc');
    await write(client, 'late');
    client.batches.length = 0;
    const tried = client.events.length;
    leader.suspend();
    await until('the stale member was tried', () =>
      client.events.slice(tried).some((event) => event.remote === stale.remote && event.state === 'backoff'),
    );
    expect(columnOf(client, 'Note', 'text')).toEqual(['before', 'late']);
    leader.resume();
    await liveTimes(client, 2);
    await write(client, 'after');
    expect(columnOf(client, 'Note', 'text')).toEqual(['after', 'before', 'late']);
    expect(client.batches.flat().filter((change) => change.new === undefined)).toEqual([]);
    expect(client.events.some((event) => event.historyLost === true)).toBe(false);
  });

  it('F49 says that history is lost when another cluster answers at the same place', async () => {
    await using cluster = await startCluster(1);
    await using other = await startCluster(1);
    const [first, second] = [cluster.members[0], other.members[0]];
    if (first === undefined || second === undefined) throw new Error('no members');
    await using seed = openClient([second.remote]);
    await write(seed, 'theirs');
    await using client = openClient([first.remote, second.remote]);
    await write(client, 'ours');
    await first.kill('SIGKILL');
    await until('the other is used', () => columnOf(client, 'Note', 'text')[0] === 'theirs');
    expect(client.table('Note').size).toBe(1);
    expect(client.events.filter((event) => event.historyLost === true).map((event) => event.state)).toEqual([
      'syncing',
    ]);
  });

  it('F05 F49 waits for a member that is behind, and takes it for a restored backup only after a while', async () => {
    await using cluster = await startCluster(1);
    const [member] = cluster.members;
    if (member === undefined) throw new Error('no member');
    await using client = openClient([member.remote], { requestTimeoutMs: 500, staleAfterMs: 1500 });
    await client.whenLive();
    await write(client, 'kept');
    await member.kill('SIGKILL');
    copyFileSync(join(member.dir, 'db'), join(member.dir, 'backup'));
    await member.start();
    await liveTimes(client, 2);
    await write(client, 'lost');
    await member.kill('SIGKILL');
    copyFileSync(join(member.dir, 'backup'), join(member.dir, 'db'));
    await member.start();
    await until('the loss is seen', () => client.state === 'live' && client.table('Note').size === 1);
    expect(columnOf(client, 'Note', 'text')).toEqual(['kept']);
    const reasons = client.events.flatMap((event) => event.reason?.message ?? []);
    expect(reasons).toContain('the server has less than we have seen');
    expect(client.events.filter((event) => event.historyLost === true)).toHaveLength(1);
  });
});

/** Where a member crashes, which member the client talks to, and whether the first attempt took effect. */
const CRASHES: readonly { point: string; on: 'leader' | 'follower'; at: 'leader' | 'follower'; written?: boolean }[] = [
  { point: 'crash-before-sending-append-request', on: 'leader', at: 'leader', written: false },
  { point: 'crash-after-sending-append-request', on: 'leader', at: 'leader', written: true },
  { point: 'crash-before-sending-execute-command-reply', on: 'leader', at: 'follower' },
  { point: 'crash-after-sending-execute-command-reply', on: 'leader', at: 'follower' },
  { point: 'crash-before-sending-execute-command-request', on: 'follower', at: 'follower', written: false },
  { point: 'crash-after-sending-execute-command-request', on: 'follower', at: 'follower', written: true },
  { point: 'crash-after-receiving-append-request-update', on: 'follower', at: 'leader' },
  { point: 'transfer-leadership-after-sending-append-request', on: 'leader', at: 'leader' },
  { point: 'transfer-leadership', on: 'leader', at: 'follower' },
];

describe('a transaction that must take effect exactly once', () => {
  it.each(CRASHES)(
    'F03 does when the $on does $point and the client is at the $at',
    async ({ point, on, at, written }) => {
      await using cluster = await startCluster();
      await cluster.settled();
      const member = { leader: await cluster.leader(), follower: await cluster.follower() };
      await using client = openClient(startingWith(cluster, member[at]));
      await write(client, 'before');
      await member[on].control('cluster/failure-test', point);
      const counted = counting(client);
      const outcome = await transactOnce(counted, [insertOp('Note', { text: 'once' })], {
        isDone: () => columnOf(client, 'Note', 'text').includes('once'),
      });
      expect(columnOf(client, 'Note', 'text')).toEqual(['before', 'once']);
      if (written !== undefined) expect(outcome.found).toBe(written);
      if (written === false) expect(counted.attempts).toBe(2);
      if (point.startsWith('crash')) {
        await member[on].exited();
        await member[on].start();
      }
      await cluster.settled();
      expect(await readAll(cluster, 2)).toEqual(Array(3).fill(['before', 'once']));
    },
  );

  it('does for each of many while members are killed one after another', async () => {
    await using cluster = await startCluster();
    await cluster.settled();
    await using client = openClient(cluster.remotes);
    const wanted: string[] = [];
    let writing = true;
    const writer = async (): Promise<void> => {
      for (let i = 0; writing; i++) {
        const text = `n${String(i).padStart(5, '0')}`;
        const isDone = (): boolean => columnOf(client, 'Note', 'text').includes(text);
        await transactOnce(client, [insertOp('Note', { text })], { isDone });
        wanted.push(text);
      }
    };
    const done = writer();
    for (let round = 0; round < 4; round++) {
      const written = wanted.length;
      await until('some are written', () => wanted.length > written + 20);
      const victim = round % 2 === 0 ? await cluster.leader() : await cluster.follower();
      await victim.kill('SIGKILL');
      const after = wanted.length;
      await until('writing goes on', () => wanted.length > after);
      await victim.start();
      await cluster.settled();
    }
    writing = false;
    await done;
    expect(client.events.some((event) => event.historyLost === true)).toBe(false);
    expect(await readAll(cluster, wanted.length)).toEqual(Array(3).fill(wanted));
  });
});
