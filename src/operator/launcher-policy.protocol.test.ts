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

/** Who may make launchers and change what tells their guest and networks, asked of a real API server. */
const PODS = 'api/v1/namespaces/team/pods';
const REAL = `${PODS}/real`;
const PLAIN = `${PODS}/plain`;
const KUBEVIRT = 'system:serviceaccount:kubevirt:kubevirt-controller';
/** Another service account of KubeVirt's name, in a tenant's namespace. */
const IMPOSTOR = 'system:serviceaccount:team:kubevirt-controller';
const COLLECTOR = 'system:serviceaccount:kube-system:generic-garbage-collector';
const TENANT = 'tenant';
const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const DEFAULT_NETWORK = 'v1.multus-cni.io/default-network';
const LABELS = { 'kubevirt.io': 'virt-launcher', 'kubevirt.io/created-by': 'u1' };
const OWNERS = [
  { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstance', name: 'web', uid: 'u1', controller: true },
];

let stage: RightsStage;
beforeAll(async () => {
  stage = await startRightsStage('mooring-agent');
  const grants = [TENANT, KUBEVIRT, IMPOSTOR, COLLECTOR].flatMap((user) => formatGrants(user, 'team', ['all']));
  const rights = (await readTemplate('agent.yaml')).filter(({ kind }) => kind?.startsWith('ClusterRole'));
  const policies = [...(await readTemplate('agent-policy.yaml')), ...(await readTemplate('tenant-policy.yaml'))];
  const team = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } };
  await stage.apply([team, ...rights, ...policies, ...grants]);
  await stage.apply([
    formatPod('plain'),
    formatPod('real', {
      labels: LABELS,
      ownerReferences: OWNERS,
      annotations: { [NETWORKS]: 'a', 'kubevirt.io/domain': 'web' },
    }),
  ]);
  // Without a trace, as the first of these come before the policy does.
  await whenRefused(() => ask(TENANT, 'POST', `${PODS}?dryRun=All`, formatPod('early', { labels: LABELS })));
  await whenRefused(() => ask(TENANT, 'POST', `${PLAIN}/binding`, formatBinding({ [NETWORKS]: 'b' })));
}, 240_000);
afterAll(() => stage?.[Symbol.asyncDispose]());

const ask = (user: string, method: Method, path: string, body?: object) =>
  stage.send({ method, path, body }, { 'impersonate-user': user });
const annotate = (annotations: Record<string, string | null>) => ({ metadata: { annotations } });
const label = (labels: Record<string, string | null>) => ({ metadata: { labels } });

function formatPod(name: string, metadata: object = {}) {
  const spec = { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'team', ...metadata }, spec };
}

function formatBinding(annotations: Record<string, string>) {
  const target = { apiVersion: 'v1', kind: 'Node', name: 'n1' };
  return { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'plain', annotations }, target };
}

describe('F55 a launcher is not made', () => {
  it.each<[string, string, object]>([
    ['by a tenant, with its label', TENANT, { labels: LABELS }],
    ['by a tenant, with its owner', TENANT, { ownerReferences: OWNERS }],
    ['by a namesake of KubeVirt in another namespace', IMPOSTOR, { labels: LABELS, ownerReferences: OWNERS }],
  ])('%s', async (_what, user, metadata) => {
    expect(await ask(user, 'POST', PODS, formatPod('forged', metadata))).toMatchObject({
      status: 422,
      text: expect.stringContaining('only KubeVirt makes launchers'),
    });
  });

  it.each<[string, object]>([
    ['label', label(LABELS)],
    ['owner', { metadata: { ownerReferences: OWNERS } }],
  ])('of a pod that is there, by a %s', async (_what, patch) => {
    expect(await ask(TENANT, 'PATCH', PLAIN, patch)).toMatchObject({
      status: 422,
      text: expect.stringContaining('only KubeVirt changes whose launcher a pod is'),
    });
  });
});

describe('F55 of a launcher a tenant may not', () => {
  it.each<[string, string, object]>([
    ['say that it is of a migration', REAL, label({ 'kubevirt.io/migrationJobUID': 'j1' })],
    ['say that it is of another guest', REAL, label({ 'kubevirt.io/created-by': 'u2' })],
    ['take the mark away', REAL, label({ 'kubevirt.io': null })],
    ['take the owner away', REAL, { metadata: { ownerReferences: null } }],
    ['say so by its status', `${REAL}/status`, label({ 'kubevirt.io/migrationJobUID': 'j1' })],
  ])('%s', async (_what, path, patch) => {
    expect(await ask(TENANT, 'PATCH', path, patch)).toMatchObject({
      status: 422,
      text: expect.stringContaining('only KubeVirt changes whose launcher a pod is'),
    });
  });
});

describe('F56 of a launcher a tenant may not', () => {
  it.each<[string, string, object]>([
    ['change its networks', REAL, annotate({ [NETWORKS]: 'other/secret' })],
    ['change its networks by its status', `${REAL}/status`, annotate({ [NETWORKS]: 'other/secret' })],
    ['take its networks away', REAL, annotate({ [NETWORKS]: null })],
    ['give it another first network', REAL, annotate({ [DEFAULT_NETWORK]: 'other/secret' })],
    ['ask for an address', REAL, annotate({ 'ovn.kubernetes.io/ip_address': '10.16.0.9' })],
    ['ask for a NIC', REAL, annotate({ 'mooring.dev/nics': '{}' })],
    ['name another guest', REAL, annotate({ 'kubevirt.io/domain': 'other' })],
    ['name a migration', REAL, annotate({ 'kubevirt.io/migrationJobName': 'm1' })],
    ['say that it has no guest', REAL, annotate({ 'kubevirt.io/ephemeral-provisioning': 'true' })],
  ])('%s', async (_what, path, patch) => {
    expect(await ask(TENANT, 'PATCH', path, patch)).toMatchObject({
      status: 422,
      text: expect.stringContaining('only KubeVirt changes the networks of a launcher'),
    });
  });

  it('give a pod its networks by the way of a Binding', async () => {
    const body = formatBinding({ [NETWORKS]: 'other/secret' });
    expect(await ask(TENANT, 'POST', `${PLAIN}/binding`, body)).toMatchObject({
      status: 422,
      text: expect.stringContaining('a Binding says where a pod runs'),
    });
  });
});

describe('what stays allowed', () => {
  it('KubeVirt makes launchers and changes them, and the garbage collector orphans them', async () => {
    const metadata = { labels: LABELS, ownerReferences: OWNERS, annotations: { 'ovn.kubernetes.io/ip_pool': 'web' } };
    expect(await ask(KUBEVIRT, 'POST', PODS, formatPod('next', metadata))).toMatchObject({ status: 201 });
    const path = `${PODS}/next`;
    const plugged = { ...label({ 'kubevirt.io/nodeName': 'n1' }), ...annotate({ [NETWORKS]: '[]' }) };
    expect(await ask(KUBEVIRT, 'PATCH', path, plugged)).toMatchObject({ status: 200 });
    const orphan = { metadata: { ownerReferences: null } };
    expect(await ask(COLLECTOR, 'PATCH', path, orphan)).toMatchObject({ status: 200 });
  });

  it.each<[string, object]>([
    ['labels', label({ app: 'web' })],
    ['annotations', annotate({ 'descheduler.alpha.kubernetes.io/evict': 'true' })],
  ])('a tenant sets other %s of a launcher', async (_what, patch) => {
    expect(await ask(TENANT, 'PATCH', REAL, patch)).toMatchObject({ status: 200 });
  });

  it('a tenant asks for networks and addresses on pods of its own', async () => {
    const annotations = { [NETWORKS]: 'a', 'ovn.kubernetes.io/ip_address': '10.16.0.9' };
    expect(await ask(TENANT, 'POST', PODS, formatPod('asks', { annotations }))).toMatchObject({ status: 201 });
    expect(await ask(TENANT, 'PATCH', PLAIN, annotate({ [NETWORKS]: 'b' }))).toMatchObject({ status: 200 });
  });

  it('the agent writes network-status of a launcher of its node', async () => {
    const body = annotate({ 'k8s.v1.cni.cncf.io/network-status': '[]' });
    const who = { 'impersonate-user': `system:serviceaccount:${RELEASE}:mooring-agent` };
    const node = { 'impersonate-extra-authentication.kubernetes.io%2Fnode-name': 'n1' };
    const call = { method: 'PATCH', path: `${REAL}/status`, body } as const;
    expect(await stage.send(call, { ...who, ...node })).toMatchObject({ status: 200 });
  });
});

describe('the chart', () => {
  it('leaves ovn.kubernetes.io/ to another network when it is the second one', async () => {
    const text = JSON.stringify(await readTemplate('tenant-policy.yaml', 'mode=secondary'));
    expect(text).toContain('mooring.dev/');
    expect(text).not.toContain('ovn.kubernetes.io/');
  });

  it('knows KubeVirt by the namespace it is told', async () => {
    const text = JSON.stringify(await readTemplate('tenant-policy.yaml', 'kubevirt.namespace=openshift-cnv'));
    expect(text).toContain('system:serviceaccount:openshift-cnv:kubevirt-controller');
    expect(text).not.toContain('system:serviceaccount:kubevirt:');
  });

  it('has none of these when they are switched off', async () => {
    await expect(readTemplate('tenant-policy.yaml', 'policies.enabled=false')).rejects.toThrow('tenant-policy.yaml');
  });
});
