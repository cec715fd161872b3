import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AGENT_ADDRESS, AGENT_KEY } from '../../../api/annotations.ts';
import {
  createResource,
  createTransport,
  LEASE,
  type Lease,
  systemClock,
  type Transport,
} from '../../../kube/index.ts';
import { type FakeApiServer, startFakeApiServer } from '../../../kube/testing/fake-api-server.ts';
import { findInternalIp, getPeer, publish, type Registry } from './published.ts';

const SIGNAL = new AbortController().signal;
const NODE = 'node-a';
const POD = { name: 'mooring-agent-1', uid: 'pod-uid' };
const OWN = { key: 'k'.repeat(43), address: '192.0.2.1' };
const COLLECTION = 'coordination.k8s.io/v1/leases';

let server: FakeApiServer;
let transport: Transport;
let registry: Registry;
beforeEach(async () => {
  server = await startFakeApiServer();
  transport = createTransport({ endpoint: server.endpoint, clock: systemClock });
  registry = { leases: createResource<Lease>(transport, LEASE), namespace: 'mooring-system', pod: POD };
});
afterEach(async () => {
  await transport.close();
  await server.stop();
});

const verbs = () => server.requests.map(({ verb }) => verb);

describe('what an agent publishes', () => {
  it('is found by the others, and belongs to its pod', async () => {
    await publish(registry, NODE, OWN, SIGNAL);
    expect(await getPeer(registry, 'node-a', SIGNAL)).toEqual(OWN);
    const [lease] = server.storage.list(COLLECTION);
    expect(lease?.metadata).toMatchObject({
      name: 'node.node-a',
      namespace: 'mooring-system',
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', ...POD }],
    });
  });

  it('belongs to nobody where the agent is no pod', async () => {
    const alone = { leases: registry.leases, namespace: registry.namespace };
    await publish(alone, NODE, OWN, SIGNAL);
    await publish(alone, NODE, OWN, SIGNAL);
    expect(verbs()).toEqual(['get', 'create', 'get']);
    expect(server.storage.list(COLLECTION)[0]?.metadata.ownerReferences).toEqual([]);
  });

  it('is written once', async () => {
    await publish(registry, NODE, OWN, SIGNAL);
    await publish(registry, NODE, OWN, SIGNAL);
    expect(verbs()).toEqual(['get', 'create', 'get']);
  });

  it.each([
    ['key', { ...OWN, key: 'l'.repeat(43) }, POD],
    ['address', { ...OWN, address: '2001:db8::1' }, POD],
    ['pod of the same name', OWN, { ...POD, uid: 'another' }],
  ])('follows a new %s', async (_cause, own, pod) => {
    await publish(registry, NODE, OWN, SIGNAL);
    await publish({ ...registry, pod }, NODE, own, SIGNAL);
    expect(await getPeer(registry, 'node-a', SIGNAL)).toEqual(own);
    expect(server.storage.list(COLLECTION)[0]?.metadata?.ownerReferences).toEqual([
      expect.objectContaining({ uid: pod.uid }),
    ]);
  });

  it('is written all the same when another one of the node was quicker', async () => {
    let created = false;
    server.fault = ({ verb }) => {
      if (verb !== 'create' || created) return undefined;
      created = true;
      const metadata = { name: 'node.node-a', namespace: 'mooring-system' };
      server.storage.create(COLLECTION, { metadata });
      return undefined;
    };
    await publish(registry, NODE, OWN, SIGNAL);
    expect(await getPeer(registry, 'node-a', SIGNAL)).toEqual(OWN);
  });

  it('fails with the server’s words when it may not be written', async () => {
    server.fault = ({ verb }) => (verb === 'create' ? { status: 403, reason: 'Forbidden' } : undefined);
    await expect(publish(registry, NODE, OWN, SIGNAL)).rejects.toMatchObject({ status: 403 });
  });
});

describe('a peer', () => {
  const annotations = { [AGENT_KEY]: OWN.key, [AGENT_ADDRESS]: OWN.address };
  it.each([
    ['without a Lease (an older agent)', undefined],
    ['with a Lease of something else', {}],
    ['without an address', { [AGENT_KEY]: OWN.key }],
    ['without a key', { [AGENT_ADDRESS]: OWN.address }],
    ['with a name in place of an address', { ...annotations, [AGENT_ADDRESS]: 'metadata.internal' }],
    ['with an address and a port', { ...annotations, [AGENT_ADDRESS]: '192.0.2.1:22' }],
  ])('is not known %s', async (_cause, found) => {
    if (found !== undefined) {
      const metadata = { name: 'node.node-a', namespace: 'mooring-system', annotations: found };
      server.storage.create(COLLECTION, { metadata });
    }
    await expect(getPeer(registry, 'node-a', SIGNAL)).rejects.toMatchObject({ problem: 'unknownPeer' });
  });

  it('whose Lease cannot be read is not taken for an unknown one', async () => {
    server.fault = () => ({ status: 500 });
    await expect(getPeer(registry, 'node-a', SIGNAL)).rejects.toMatchObject({ status: 500 });
  });

  it('of a name that is no name is not asked for', async () => {
    await expect(getPeer(registry, '../x', SIGNAL)).rejects.toMatchObject({ class: 'terminal' });
    expect(server.requests).toEqual([]);
  });
});

describe('the address of a node', () => {
  it.each([
    [
      'the first InternalIP',
      [
        { type: 'Hostname', address: 'n' },
        { type: 'InternalIP', address: '192.0.2.1' },
        { type: 'InternalIP', address: '2001:db8::1' },
      ],
      '192.0.2.1',
    ],
    ['an IPv6 address as the kernel spells it', [{ type: 'InternalIP', address: '2001:DB8:0::1' }], '2001:db8::1'],
    ['none of another sort', [{ type: 'ExternalIP', address: '198.51.100.1' }], undefined],
    ['none that is no address', [{ type: 'InternalIP', address: 'n1.example' }], undefined],
    ['none of no addresses', undefined, undefined],
  ])('is %s', (_cause, addresses, expected) => {
    expect(findInternalIp({ status: addresses === undefined ? {} : { addresses } })).toBe(expected);
  });
});
