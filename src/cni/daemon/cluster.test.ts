import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatNodeLabel } from '../../api/names.ts';
import { createTransport, noMetrics, systemClock, type Transport } from '../../kube/index.ts';
import { eventually } from '../../kube/testing/eventually.ts';
import { type FakeApiServer, startFakeApiServer } from '../../kube/testing/fake-api-server.ts';
import { createRecordingLogger } from '../../kube/testing/recording-logger.ts';
import { createCluster, isSamePod, type RunningCluster } from './cluster.ts';

const PORTS = 'mooring.dev/v1alpha1/logicalports';

let api: FakeApiServer;
let transport: Transport;
let cluster: RunningCluster;
beforeEach(async () => {
  api = await startFakeApiServer();
  transport = createTransport({ endpoint: api.endpoint, clock: systemClock });
  const log = createRecordingLogger();
  cluster = createCluster({ transport, node: 'n1', clock: systemClock, random: Math.random, log, metrics: noMetrics });
});
afterEach(async () => {
  await cluster.stop();
  await transport.close();
  await api.stop();
});

const addPod = (name: string, nodeName: string) =>
  api.storage.create('v1/pods', { metadata: { name, namespace: 'default' }, spec: { nodeName } } as never);
const addPort = (name: string, podUID: string, node: string) =>
  api.storage.create(PORTS, {
    metadata: { name, namespace: 'default', labels: { [formatNodeLabel(node)]: '' } },
    spec: { attachments: [{ podUID, interface: 'eth0', node }] },
  } as never);

describe('what the agent knows of the API', () => {
  test('only its own node, and only after everything was listed', async () => {
    addPod('mine', 'n1');
    addPod('other', 'n2');
    addPort('mine', 'u1', 'n1');
    addPort('other', 'u2', 'n2');
    expect(cluster.hasSynced()).toBe(false);
    cluster.start();
    await eventually('synced', cluster.hasSynced);
    expect(cluster.listPods().map((pod) => pod.metadata?.name)).toEqual(['mine']);
    expect(cluster.findPort('u1', 'eth0')?.metadata.name).toBe('mine');
    expect(cluster.findPort('u1', 'net1')).toBeUndefined();
    expect(cluster.findPort('u2', 'eth0')).toBeUndefined();
  });

  test('a change wakes those who wait, until they are done', async () => {
    cluster.start();
    await eventually('synced', cluster.hasSynced);
    let woken = 0;
    const end = cluster.onChange(() => {
      woken += 1;
    });
    const pod = addPod('late', 'n1');
    await eventually('seen', () => woken === 1);
    expect(cluster.findPod({ namespace: 'default', name: 'late', uid: pod.metadata.uid ?? '' })).toBeDefined();
    end();
    addPort('late', 'u', 'n1');
    await eventually('seen', () => cluster.findPort('u', 'eth0'));
    expect(woken).toBe(1);
  });

  test('another life of the same name is another pod', async () => {
    addPod('web', 'n1');
    cluster.start();
    await eventually('synced', cluster.hasSynced);
    expect(cluster.findPod({ namespace: 'default', name: 'web', uid: 'of-an-older-one' })).toBeUndefined();
  });

  test('a static pod is known by the hash that its mirror carries', () => {
    const mirror = { metadata: { uid: 'api-uid', annotations: { 'kubernetes.io/config.hash': '0123abcd' } } };
    expect(isSamePod(mirror, '0123abcd')).toBe(true);
    expect(isSamePod(mirror, 'api-uid')).toBe(true);
    expect(isSamePod(mirror, 'something else')).toBe(false);
    expect(isSamePod({ metadata: {} }, 'x')).toBe(false);
  });
});
