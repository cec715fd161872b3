import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { startControlPlane, type TestControlPlane } from '../../../../test/kube/apiserver.ts';
import {
  createResource,
  createTransport,
  type KubeObject,
  LEASE,
  type Lease,
  type Resource,
  systemClock,
  type Transport,
} from '../../../kube/index.ts';
import { getPeer, publish, type Registry } from './published.ts';

/** What the chart lets an agent write of Leases, asked of a real API server. */
const TEMPLATES = join(import.meta.dirname, '../../../../charts/mooring/templates');
const NAMESPACE = 'mooring-system';
const AGENT = `system:serviceaccount:${NAMESPACE}:mooring-agent`;
const SIGNAL = AbortSignal.timeout(120_000);
const OWN = { key: 'k'.repeat(43), address: '192.0.2.1' };

let plane: TestControlPlane;
let admin: Transport;
let dispatcher: Agent;
beforeAll(async () => {
  plane = await startControlPlane(process.env);
  admin = createTransport({ endpoint: plane.endpoint, clock: systemClock });
  dispatcher = new Agent({ connect: { ca: plane.endpoint.tls?.ca ?? '' } });
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  const rights = readTemplate('agent.yaml').filter(({ kind }) => kind === 'Role' || kind === 'RoleBinding');
  for (const object of [...rights, ...readTemplate('agent-policy.yaml')]) await apply(object);
  await createResource<Lease>(admin, LEASE).create({
    metadata: { name: 'mooring-operator', namespace: NAMESPACE },
    spec: { holderIdentity: 'operator-1' },
  });
  await untilInForce();
});
afterAll(async () => {
  await dispatcher.destroy();
  await admin.close();
  await plane.stop();
});

/** The chart's text without what Helm fills in. */
function readTemplate(name: string): KubeObject[] {
  const text = readFileSync(join(TEMPLATES, name), 'utf8').split('apiVersion: apps/v1')[0] ?? '';
  const plain = text.replace(/^.*\{\{- include.*\n/gm, '').replaceAll('{{ .Release.Namespace }}', NAMESPACE);
  return parseAllDocuments(plain).flatMap((document) => (document.toJS() as KubeObject | null) ?? []);
}

async function apply(object: KubeObject): Promise<void> {
  const [group = '', version = 'v1'] = object.apiVersion?.includes('/') ? object.apiVersion.split('/') : ['', 'v1'];
  const kind = object.kind ?? '';
  const plural = kind.endsWith('y') ? `${kind.toLowerCase().slice(0, -1)}ies` : `${kind.toLowerCase()}s`;
  const namespaced = object.metadata?.namespace !== undefined;
  await createResource(admin, { group, version, plural, kind, namespaced }).create(object);
}

/** The API server as the agent of a node sees it: its service account, with what its token says of the node. */
function actAs(node: string | undefined): Registry {
  const leases: Pick<Resource<Lease>, 'find' | 'create' | 'patch'> = {
    find: async ({ name }) => {
      const answer = await send(node, 'GET', name ?? '');
      return answer.status === 404 ? undefined : take(answer);
    },
    create: async (lease) => take(await send(node, 'POST', '', lease)),
    patch: async ({ name }, patch) => take(await send(node, 'PATCH', name ?? '', patch)),
  };
  return { leases, namespace: NAMESPACE };
}

type Answer = { readonly status: number; readonly text: string };

function take({ status, text }: Answer): Lease {
  if (status >= 300) throw new Error(`${status}: ${text}`);
  return JSON.parse(text) as Lease;
}

type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';

async function send(node: string | undefined, method: Method, name: string, body?: object): Promise<Answer> {
  const { server, authorization } = plane.endpoint;
  const answer = await request(`${server}/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/${name}`, {
    ...{ method, dispatcher, body: body === undefined ? null : JSON.stringify(body) },
    headers: {
      authorization: (await authorization?.()) ?? '',
      'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
      'impersonate-user': AGENT,
      ...(node === undefined ? {} : { 'impersonate-extra-authentication.kubernetes.io%2Fnode-name': node }),
    },
  });
  return { status: answer.statusCode, text: await answer.body.text() };
}

const formatLease = (name: string) => ({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name } });
const CLAIM = { spec: { holderIdentity: 'agent' } };

/** A policy takes a moment until every API server enforces it. */
async function untilInForce(): Promise<void> {
  const end = performance.now() + 20_000;
  while ((await send('n1', 'PATCH', 'mooring-operator', CLAIM)).status !== 422 && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('of Leases an agent', () => {
  test('writes the one of its own node, first and again, and reads those of others', async () => {
    await publish(actAs('n1'), 'n1', OWN, SIGNAL);
    await publish(actAs('n1'), 'n1', { ...OWN, address: '192.0.2.9' }, SIGNAL);
    expect(await getPeer(actAs('n2'), 'n1', SIGNAL)).toEqual({ ...OWN, address: '192.0.2.9' });
  });

  test.each<[string, string | undefined, Method, string, object]>([
    ["take another node's", 'n2', 'PATCH', 'node.n1', { metadata: { annotations: { 'mooring.dev/agent-key': 'x' } } }],
    ["make another node's", 'n1', 'POST', '', formatLease('node.n3')],
    ["take the operator's", 'n1', 'PATCH', 'mooring-operator', CLAIM],
    ['make one of another name', 'n1', 'POST', '', formatLease('n1')],
    [
      'make one whose name the server chooses',
      'n1',
      'POST',
      '',
      { ...formatLease(''), metadata: { generateName: 'node.n1' } },
    ],
    ['make one with a token that names no node', undefined, 'POST', '', formatLease('node.n3')],
    ['write its own with a token that names no node', undefined, 'PATCH', 'node.n1', CLAIM],
  ])('may not %s', async (...[, node, method, name, body]) => {
    const { status, text } = await send(node, method, name, body);
    expect({ status, text }).toMatchObject({
      status: 422,
      text: expect.stringContaining('only the Lease of its own node'),
    });
  });

  test.each<[string, Method, string]>([
    ['delete its own', 'DELETE', 'node.n1'],
    ['replace its own', 'PUT', 'node.n1'],
    ['list them', 'GET', ''],
  ])('has no right to %s', async (_cause, method, name) => {
    expect(await send('n1', method, name, method === 'PUT' ? formatLease(name) : undefined)).toMatchObject({
      status: 403,
    });
  });
});
