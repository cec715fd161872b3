import { describe, expect, it } from 'vitest';
import { createWholeClient, formatContent, SCHEMA_FILES, wish } from '../../test/ovn/database.ts';
import { ALL_OWNERS, CLUSTER, NETWORK } from '../../test/ovn/wishes.ts';
import { startCluster, type TestCluster } from '../../test/ovsdb/cluster.ts';
import { until } from '../../test/ovsdb/server.ts';
import type { Operation } from '../ovsdb/operations.ts';
import { createNbClient, type NbClient } from './database.ts';
import { takeEpoch } from './epoch.ts';
import { planOperations } from './plan-operations.ts';
import { createWriter } from './writer.ts';

type Case = { readonly point: string; readonly on: 'leader' | 'follower'; readonly at: 'leader' | 'follower' };

/** Where the server's own failure test makes a member die, and to which member we are connected then. */
const CRASHES: readonly Case[] = [
  { point: 'crash-before-sending-append-request', on: 'leader', at: 'leader' },
  { point: 'crash-after-sending-append-request', on: 'leader', at: 'leader' },
  { point: 'crash-before-sending-execute-command-reply', on: 'leader', at: 'follower' },
  { point: 'crash-after-sending-execute-command-reply', on: 'leader', at: 'follower' },
  { point: 'crash-before-sending-execute-command-request', on: 'follower', at: 'follower' },
  { point: 'crash-after-sending-execute-command-request', on: 'follower', at: 'follower' },
  { point: 'transfer-leadership', on: 'leader', at: 'follower' },
];

const planNetwork = (nb: NbClient) => (): Operation[] =>
  planOperations(nb.observed, wish(NETWORK), { cluster: CLUSTER, owners: ALL_OWNERS });

/** What every member holds, once all have caught up with the first. */
async function readAll(cluster: TestCluster): Promise<unknown[]> {
  const read = async (remote: string): Promise<unknown> => {
    const client = createWholeClient(remote, SCHEMA_FILES.nb);
    client.start();
    try {
      await client.whenLive();
      await until('the member has caught up', () => client.table('Logical_Switch_Port').size > 0);
      return formatContent(client);
    } finally {
      await client.stop();
    }
  };
  return await Promise.all(cluster.remotes.map(read));
}

describe('a network written to a cluster', () => {
  it.each(CRASHES)('is there once when the $on does $point and we are at the $at', async ({ point, on, at }) => {
    await using cluster = await startCluster(3, SCHEMA_FILES.nb);
    await cluster.settled();
    const member = { leader: await cluster.leader(), follower: await cluster.follower() };
    const remotes = [member[at].remote, ...cluster.remotes.filter((remote) => remote !== member[at].remote)];
    const nb = createNbClient({ remotes, leaderOnly: false, backoff: { minMs: 10, maxMs: 500 } });
    nb.client.start();
    try {
      await nb.client.whenLive();
      const epoch = await takeEpoch(nb.client, CLUSTER, 1);
      const writer = createWriter({ client: nb.client, epoch });
      await member[on].control('cluster/failure-test', point);
      await writer.apply(planNetwork(nb));
      expect(planNetwork(nb)()).toEqual([]);
    } finally {
      await nb.client.stop();
    }
    if (point.startsWith('crash')) {
      await member[on].exited();
      await member[on].start();
    }
    await cluster.settled();
    const [first, ...others] = await readAll(cluster);
    expect(Object.keys((first as Record<string, object>).Logical_Switch ?? {})).toEqual(['subnet/net1']);
    expect(Object.keys((first as Record<string, object>).DHCP_Options ?? {})).toEqual(['net1-v4']);
    for (const other of others) expect(other).toEqual(first);
  });
});
