import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createResource,
  createTransport,
  LEASE,
  type Lease,
  systemClock,
  type Transport,
} from '../../../kube/index.ts';
import { type FakeApiServer, startFakeApiServer } from '../../../kube/testing/fake-api-server.ts';
import { createFakeClock } from '../../../kube/testing/fake-clock.ts';
import { createRecordingLogger } from '../../../kube/testing/recording-logger.ts';
import { type Carrier, createCarrier } from './carry.ts';

/** A node where nothing moves: what an agent does there, and what is said when others could not find it. */
const PORT = 19_477;
const SIGNAL = new AbortController().signal;
const ADDRESS = `127.77.${process.pid % 250}.1`;

let api: FakeApiServer;
let transport: Transport;
let carrier: Carrier;
let log: ReturnType<typeof createRecordingLogger>;
const clock = createFakeClock();
const cluster = {
  synced: true,
  addresses: [] as { type: string; address: string }[],
  hasSynced: () => cluster.synced,
  listPorts: () => [],
  findNode: () => ({ metadata: { name: 'a' }, status: { addresses: cluster.addresses } }),
};

beforeEach(async () => {
  api = await startFakeApiServer();
  transport = createTransport({ endpoint: api.endpoint, clock: systemClock });
  log = createRecordingLogger();
  cluster.synced = true;
  cluster.addresses = [{ type: 'InternalIP', address: ADDRESS }];
  carrier = createCarrier({
    context: {
      node: 'a',
      links: { run: () => Promise.reject(new Error('nothing is to be done')) },
      journal: {
        load: async () => undefined,
        list: () => [],
        find: () => undefined,
        put: async () => undefined,
        delete: async () => undefined,
      },
      events: { record: () => undefined },
      metrics: { count: () => undefined, observe: () => undefined },
      ...{ cluster, clock, log },
    },
    random: () => 0,
    registry: { leases: createResource<Lease>(transport, LEASE), namespace: 'mooring-system' },
    port: PORT,
  });
});
afterEach(async () => {
  await carrier.stop();
  await transport.close();
  await api.stop();
});

const turn = () => carrier.turn(SIGNAL);
const warnings = () => log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);

describe('an agent where nothing moves', () => {
  it('publishes itself once and then does nothing: no request, no timer', async () => {
    expect(await turn()).toEqual({ done: true });
    const { length } = api.requests;
    for (let times = 0; times < 5; times += 1) expect(await turn()).toEqual({ done: true });
    expect(api.requests).toHaveLength(length);
    expect(clock.pending()).toEqual([]);
  });

  it('waits for the cluster first', async () => {
    cluster.synced = false;
    expect(await turn()).toEqual({ requeueAfterMs: 1000 });
    expect(api.requests).toEqual([]);
  });

  it('follows its node to another address', async () => {
    await turn();
    cluster.addresses = [{ type: 'InternalIP', address: ADDRESS.replace(/1$/, '2') }];
    await turn();
    const [lease] = api.storage.list('coordination.k8s.io/v1/leases');
    expect(lease?.metadata.annotations).toMatchObject({ 'mooring.dev/agent-address': ADDRESS.replace(/1$/, '2') });
  });
});

describe('an agent that others cannot find', () => {
  it('says once that it may not write its Lease, tries again, and says so anew after it could', async () => {
    api.fault = ({ verb }) => (verb === 'create' ? { status: 403, reason: 'Forbidden' } : undefined);
    for (let times = 0; times < 3; times += 1) expect(await turn()).toEqual({ requeueAfterMs: 10_000 });
    expect(warnings()).toHaveLength(1);
    api.fault = undefined;
    expect(await turn()).toEqual({ done: true });
  });

  it('says that its node has no address', async () => {
    cluster.addresses = [{ type: 'Hostname', address: 'a' }];
    expect(await turn()).toEqual({ requeueAfterMs: 10_000 });
    expect(log.lines[0]?.fields.err).toMatchObject({ message: 'Node a has no InternalIP' });
  });

  it('says that somebody has its port, publishes nothing, and listens when it is free', async () => {
    const other = createServer();
    await new Promise<void>((listening) => other.listen(PORT, ADDRESS, listening));
    expect(await turn()).toEqual({ requeueAfterMs: 10_000 });
    expect(log.lines[0]?.fields.err).toMatchObject({ code: 'EADDRINUSE' });
    expect(api.requests).toEqual([]);
    await new Promise<void>((closed) => other.close(() => closed()));
    expect(await turn()).toEqual({ done: true });
  });
});
