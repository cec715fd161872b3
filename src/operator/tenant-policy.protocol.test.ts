import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  formatGrants,
  type Method,
  RELEASE,
  type RightsStage,
  readTemplate,
  startRightsStage,
  whenRefused,
} from '../../test/kube/rights.ts';
import { teachKinds } from '../../test/kube/teach.ts';
import { KINDS } from '../api/group.ts';
import { createResource, type KubeObject } from '../kube/index.ts';

/** Who may write LogicalPorts and our annotations of Nodes by the chart's policies, asked of a real API server. */
const PORTS = 'apis/mooring.dev/v1alpha1/namespaces/team/logicalports';
const NODE = 'api/v1/nodes/n1';
const OPERATOR = `system:serviceaccount:${RELEASE}:mooring-operator`;
const COLLECTOR = 'system:serviceaccount:kube-system:generic-garbage-collector';
const KUBELET = 'system:node:n1';
/** All rights in its namespace, the right to override there too: that counts in the whole cluster only. */
const TENANT = 'tenant';
const EDITOR = 'editor';
/** A tool that restores LogicalPorts and is no cluster-admin. */
const BACKUP = 'backup';

let stage: RightsStage;
beforeAll(async () => {
  stage = await startRightsStage('mooring-operator');
  await teachKinds(stage.admin, [KINDS.logicalPort]);
  const rights = (await readTemplate('operator.yaml')).filter(({ kind }) => kind?.startsWith('ClusterRole'));
  const policies = [...(await readTemplate('operator-policy.yaml')), ...(await readTemplate('tenant-policy.yaml'))];
  const grants = [
    ...formatGrants(TENANT, 'team', ['all', 'mooring-override']),
    ...formatGrants(EDITOR, 'team', ['mooring-view', 'mooring-edit']),
    ...formatGrants(BACKUP, 'team', ['all']),
    ...formatGrants(BACKUP, undefined, ['mooring-override']),
    ...formatGrants(COLLECTOR, undefined, ['all']),
    ...formatGrants(KUBELET, undefined, ['system:node']),
  ];
  const team = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } };
  await stage.apply([team, ...rights, ...policies, ...(await readTemplate('roles.yaml')), ...grants]);
  const annotations = { [MARK]: '{}', note: 'theirs' };
  await createResource(stage.admin, KINDS.node).create({ metadata: { name: 'n1', annotations } });
  await makePort('held');
  await whenRefused((turn) => ask(TENANT, 'PATCH', `${PORTS}/held?dryRun=All`, { spec: { subnet: turn } }));
  await whenRefused((turn) => ask(KUBELET, 'PATCH', `${NODE}?dryRun=All`, annotate({ [MARK]: turn })));
  await whenRefused((turn) => ask(OPERATOR, 'PATCH', `${NODE}?dryRun=All`, annotate({ note: turn })));
}, 240_000);
afterAll(() => stage?.[Symbol.asyncDispose]());

const MARK = 'mooring.dev/node-network';
const FINALIZER = 'mooring.dev/release';
const ask = (user: string, method: Method, path: string, body?: object) =>
  stage.send({ method, path, body }, { 'impersonate-user': user });
const annotate = (annotations: Record<string, string | null>) => ({ metadata: { annotations } });
const makePort = (name: string) =>
  createResource(stage.admin, KINDS.logicalPort).create(formatPort(name) as unknown as KubeObject);

function formatPort(name: string) {
  return {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'LogicalPort',
    metadata: { name, namespace: 'team', finalizers: [FINALIZER] },
    spec: {
      owner: { kind: 'VirtualMachine', name: 'web', uid: 'u1' },
      ...{ nic: 'default', subnet: 'default', ips: ['10.16.0.9'], mac: '02:00:00:00:00:09' },
    },
  };
}

describe('F54 a tenant with every right in its namespace may not', () => {
  it.each<[string, Method, string, object]>([
    ["make a LogicalPort with a VM's address", 'POST', PORTS, formatPort('forged')],
    ['take another address', 'PATCH', `${PORTS}/held`, { spec: { ips: ['10.16.0.1'] } }],
    ['give a port to another owner', 'PATCH', `${PORTS}/held`, { spec: { owner: { uid: 'u2' } } }],
    ['say where a port is', 'PATCH', `${PORTS}/held/status`, { status: { phase: 'Bound', node: 'n1' } }],
    ['free an address before its time', 'PATCH', `${PORTS}/held`, { metadata: { finalizers: null } }],
    ['give out a port for a restored one', 'PATCH', `${PORTS}/held`, annotate({ 'mooring.dev/cluster-uid': 'x' })],
    ['set the label that agents look for', 'PATCH', `${PORTS}/held`, { metadata: { labels: { a: 'b' } } }],
  ])('%s', async (_what, ...[method, path, body]) => {
    expect(await ask(TENANT, method, path, body)).toMatchObject({
      status: 422,
      text: expect.stringContaining('only Mooring writes LogicalPorts'),
    });
  });
});

describe('of LogicalPorts', () => {
  it('the operator writes all, spec, status and finalizers', async () => {
    expect(await ask(OPERATOR, 'POST', PORTS, formatPort('own'))).toMatchObject({ status: 201 });
    const path = `${PORTS}/own`;
    expect(await ask(OPERATOR, 'PATCH', path, { spec: { ips: ['10.16.0.8'] } })).toMatchObject({ status: 200 });
    expect(await ask(OPERATOR, 'PATCH', `${path}/status`, { status: { phase: 'Ready' } })).toMatchObject({
      status: 200,
    });
    expect(await ask(OPERATOR, 'DELETE', path)).toMatchObject({ status: 200 });
    expect(await ask(OPERATOR, 'PATCH', path, { metadata: { finalizers: null } })).toMatchObject({ status: 200 });
    expect(await ask(OPERATOR, 'GET', path)).toMatchObject({ status: 404 });
  });

  it('who may edit a namespace gives a retained one back, and the finalizer keeps it for the operator', async () => {
    await makePort('retained');
    const path = `${PORTS}/retained`;
    expect(await ask(EDITOR, 'GET', path)).toMatchObject({ status: 200 });
    expect(await ask(EDITOR, 'PATCH', path, { spec: { subnet: 'x' } })).toMatchObject({ status: 403 });
    expect(await ask(EDITOR, 'DELETE', path)).toMatchObject({ status: 200 });
    const { status, text } = await ask(EDITOR, 'GET', path);
    expect(status).toBe(200);
    expect(JSON.parse(text).metadata).toMatchObject({
      finalizers: [FINALIZER],
      deletionTimestamp: expect.any(String),
    });
  });

  it('a backup tool with the right to override restores them', async () => {
    expect(await ask(BACKUP, 'POST', PORTS, formatPort('restored'))).toMatchObject({ status: 201 });
    expect(await ask(BACKUP, 'PATCH', `${PORTS}/restored`, annotate({ a: 'b' }))).toMatchObject({ status: 200 });
  });

  it('the garbage collector takes owners away, as when a VM is deleted without its dependents', async () => {
    const patch = { metadata: { ownerReferences: null, finalizers: [FINALIZER, 'orphan'] } };
    expect(await ask(COLLECTOR, 'PATCH', `${PORTS}/held`, patch)).toMatchObject({ status: 200 });
  });
});

describe('F60 the mark of a Node', () => {
  it.each<[string, Method, string, object]>([
    ['is not changed by its kubelet', 'PATCH', NODE, annotate({ [MARK]: '{"nodeIps":[]}' })],
    ["is not changed by its kubelet with the Node's status", 'PATCH', `${NODE}/status`, annotate({ [MARK]: 'x' })],
    ['is not removed by its kubelet', 'PATCH', NODE, annotate({ [MARK]: null })],
    ['is not there when a kubelet makes its Node', 'POST', 'api/v1/nodes', formatNode('n2', { [MARK]: '{}' })],
  ])('%s', async (_what, ...[method, path, body]) => {
    expect(await ask(KUBELET, method, path, body)).toMatchObject({
      status: 422,
      text: expect.stringContaining("only Mooring's operator writes the annotations mooring.dev/ of Nodes"),
    });
  });

  it('leaves all else to the kubelet', async () => {
    const status = { conditions: [{ type: 'Ready', status: 'True' }] };
    expect(await ask(KUBELET, 'PATCH', `${NODE}/status`, { ...annotate({ note: 'new' }), status })).toMatchObject({
      status: 200,
    });
    expect(await ask(KUBELET, 'POST', 'api/v1/nodes', formatNode('n3', { note: 'x' }))).toMatchObject({ status: 201 });
  });

  it('is written by the operator, and by an administrator', async () => {
    expect(await ask(OPERATOR, 'PATCH', NODE, annotate({ [MARK]: '{"mtu":1}' }))).toMatchObject({ status: 200 });
    expect(await ask(OPERATOR, 'PATCH', NODE, annotate({ [MARK]: null }))).toMatchObject({ status: 200 });
    const nodes = createResource(stage.admin, KINDS.node);
    expect(await nodes.patch({ name: 'n1' }, annotate({ [MARK]: '{}' }))).toMatchObject(annotate({ [MARK]: '{}' }));
  });
});

describe('of a Node the operator may not', () => {
  it.each<[string, object]>([
    ['change an annotation of others', annotate({ note: 'ours' })],
    ['remove an annotation of others', annotate({ note: null })],
    ['set another annotation', annotate({ 'mooring.dev/other': 'x' })],
    ['set a label', { metadata: { labels: { a: 'b' } } }],
    ['set a finalizer', { metadata: { finalizers: ['mooring.dev/x'] } }],
    ['close it to pods', { spec: { unschedulable: true } }],
    ['taint it', { spec: { taints: [{ key: 'a', effect: 'NoExecute' }] } }],
  ])('%s', async (_what, patch) => {
    expect(await ask(OPERATOR, 'PATCH', NODE, patch)).toMatchObject({
      status: 422,
      text: expect.stringContaining('may write only the annotation mooring.dev/node-network'),
    });
  });

  it.each<[string, Method, string]>([
    ['write its status', 'PATCH', `${NODE}/status`],
    ['delete it', 'DELETE', NODE],
    ['make one', 'POST', 'api/v1/nodes'],
  ])('%s: it has no right to', async (_what, method, path) => {
    const body = method === 'DELETE' ? undefined : formatNode('n1', {});
    expect(await ask(OPERATOR, method, path, body)).toMatchObject({ status: 403 });
  });
});

function formatNode(name: string, annotations: Record<string, string>) {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, annotations } };
}
