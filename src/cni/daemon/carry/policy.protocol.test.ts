import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Answer,
  type Method,
  RELEASE,
  type RightsStage,
  readTemplate,
  startRightsStage,
  whenRefused,
} from '../../../../test/kube/rights.ts';
import { createResource, LEASE, type Lease, type Resource } from '../../../kube/index.ts';
import { getPeer, publish, type Registry } from './published.ts';

/** What the chart lets an agent write of Leases, asked of a real API server. */
const SIGNAL = AbortSignal.timeout(120_000);
const OWN = { key: 'k'.repeat(43), address: '192.0.2.1' };

let stage: RightsStage;
beforeAll(async () => {
  stage = await startRightsStage('mooring-agent');
  const rights = (await readTemplate('agent.yaml')).filter(({ kind }) => kind === 'Role' || kind === 'RoleBinding');
  await stage.apply([...rights, ...(await readTemplate('agent-policy.yaml'))]);
  await createResource<Lease>(stage.admin, LEASE).create({
    metadata: { name: 'mooring-operator', namespace: RELEASE },
    spec: { holderIdentity: 'operator-1' },
  });
  await whenRefused(() => send('n1', 'PATCH', 'mooring-operator', CLAIM));
});
afterAll(() => stage?.[Symbol.asyncDispose]());

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
  return { leases, namespace: RELEASE };
}

function take({ status, text }: Answer): Lease {
  if (status >= 300) throw new Error(`${status}: ${text}`);
  return JSON.parse(text) as Lease;
}

function send(node: string | undefined, method: Method, name: string, body?: object): Promise<Answer> {
  const path = `apis/coordination.k8s.io/v1/namespaces/${RELEASE}/leases/${name}`;
  const who = node === undefined ? {} : { 'impersonate-extra-authentication.kubernetes.io%2Fnode-name': node };
  return stage.send({ method, path, body }, who);
}

const formatLease = (name: string) => ({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name } });
const CLAIM = { spec: { holderIdentity: 'agent' } };

describe('F60 of Leases an agent', () => {
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
