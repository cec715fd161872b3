import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startControlPlane, type TestControlPlane } from '../../../../test/kube/apiserver.ts';
import { readTemplate } from '../../../../test/kube/rights.ts';
import { NETWORK_STATUS } from '../../../api/annotations.ts';
import { KINDS } from '../../../api/group.ts';
import { createResource, createTransport, type KubeObject, systemClock, type Transport } from '../../../kube/index.ts';
import { publishStatus } from './publish.ts';

const AGENT = 'system:serviceaccount:mooring-system:mooring-agent';
const NODE_KEY = 'authentication.kubernetes.io%2Fnode-name';

let plane: TestControlPlane;
let admin: Transport;
const transports: Transport[] = [];
beforeAll(async () => {
  plane = await startControlPlane(process.env);
  admin = createTransport({ endpoint: plane.endpoint, clock: systemClock });
  transports.push(admin);
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'mooring-system' } });
  const rights = (await readTemplate('agent.yaml')).filter(({ kind }) => kind?.startsWith('ClusterRole'));
  for (const object of [...rights, ...(await readTemplate('agent-policy.yaml'))]) await apply(object);
  for (const name of ['mine', 'other']) await createPod(name, name === 'mine' ? 'n1' : 'n2');
  await untilInForce();
});
afterAll(async () => {
  for (const transport of transports) await transport.close();
  await plane.stop();
});

async function apply(object: KubeObject): Promise<void> {
  const [group = '', version = 'v1'] = object.apiVersion?.includes('/') ? object.apiVersion.split('/') : ['', 'v1'];
  const kind = object.kind ?? '';
  const plural = kind.endsWith('y') ? `${kind.toLowerCase().slice(0, -1)}ies` : `${kind.toLowerCase()}s`;
  await createResource(admin, { group, version, plural, kind, namespaced: false }).create(object);
}

const createPod = (name: string, nodeName: string) =>
  createResource(admin, KINDS.pod).create({
    metadata: { name, namespace: 'default', annotations: { 'tenant.example/keep': 'yes' } },
    spec: { nodeName, containers: [{ name: 'main', image: 'none' }] },
  } as KubeObject);

/** The API server as the agent of a node sees it: its service account, with what its token says of the node. */
function actAs(node: string | undefined) {
  const impersonation = {
    'impersonate-user': AGENT,
    ...(node === undefined ? {} : { [`impersonate-extra-${NODE_KEY}`]: node }),
  };
  return (name: string, patch: object, path = 'status') => send(impersonation, { name, patch, path });
}

type Patch = { readonly name: string; readonly patch: object; readonly path: string };

async function send(
  headers: Record<string, string>,
  { name, patch, path }: Patch,
): Promise<{ status: number; text: string }> {
  const { server, tls, authorization } = plane.endpoint;
  const dispatcher = new Agent({ connect: { ca: tls?.ca ?? '' } });
  const answer = await request(`${server}/api/v1/namespaces/default/pods/${name}/${path}`, {
    method: 'PATCH',
    dispatcher,
    headers: {
      ...headers,
      authorization: (await authorization?.()) ?? '',
      'content-type': 'application/merge-patch+json',
    },
    body: JSON.stringify(patch),
  });
  const result = { status: answer.statusCode, text: await answer.body.text() };
  await dispatcher.destroy();
  return result;
}

const annotate = (annotations: Record<string, string | null>) => ({ metadata: { annotations } });
const STATUS = annotate({ [NETWORK_STATUS]: '[]' });

/** A policy takes a moment until every API server enforces it. */
async function untilInForce(): Promise<void> {
  const end = performance.now() + 20_000;
  while ((await actAs('n1')('other', STATUS)).status !== 422 && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('F60 what an agent may write of a pod', () => {
  test('network-status of a pod of its node, first time, again, and not at all', async () => {
    for (const text of ['[]', '[{}]', null]) {
      expect(await actAs('n1')('mine', annotate({ [NETWORK_STATUS]: text }))).toMatchObject({ status: 200 });
    }
  });

  test.each([
    ['a pod of another node', 'n1', 'other', STATUS, 'its own node'],
    ['a pod of its node with a token that names no node', undefined, 'mine', STATUS, 'its own node'],
    ['another annotation', 'n1', 'mine', annotate({ 'k8s.v1.cni.cncf.io/networks': 'a' }), 'a pod'],
    ['the end of another annotation', 'n1', 'mine', annotate({ 'tenant.example/keep': null }), 'a pod'],
    ['another value of another annotation', 'n1', 'mine', annotate({ 'tenant.example/keep': 'no' }), 'a pod'],
    ['a label', 'n1', 'mine', { metadata: { labels: { app: 'x' } } }, 'nothing of a pod'],
    ['the status itself', 'n1', 'mine', { status: { podIP: '10.0.0.1', phase: 'Running' } }, 'nothing of a pod'],
  ])('not %s', async (...[, node, pod, patch, words]) => {
    const { status, text } = await actAs(node)(pod, patch);
    expect({ status, text }).toMatchObject({ status: 422, text: expect.stringContaining(words) });
  });

  test('not the pod outside of its status', async () => {
    expect(await actAs('n1')('mine', STATUS, '')).toMatchObject({ status: 403 });
  });
});

describe('network-status', () => {
  test('reaches the pod that was meant, and no namesake', async () => {
    const pods = createResource<KubeObject>(admin, KINDS.pod);
    const pod = await pods.get({ namespace: 'default', name: 'mine' });
    const signal = AbortSignal.timeout(5000);
    expect(await publishStatus(pods, pod, '[{"name":"x"}]', signal)).toBe(true);
    const written = await pods.get({ namespace: 'default', name: 'mine' });
    expect(written.metadata?.annotations).toMatchObject({ [NETWORK_STATUS]: '[{"name":"x"}]' });
    expect(await publishStatus(pods, written, '[{"name":"x"}]', signal)).toBe(false);
    const namesake = { ...pod, metadata: { ...pod.metadata, uid: 'another' } };
    await expect(publishStatus(pods, namesake, '[]', signal)).rejects.toMatchObject({ class: 'terminal' });
    expect(await publishStatus(pods, { metadata: { namespace: 'default', name: 'gone' } }, '[]', signal)).toBe(false);
  });
});
