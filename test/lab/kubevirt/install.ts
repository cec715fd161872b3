import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureObject, type KubeObject, type ResourceKind } from '../../../src/kube/index.ts';
import { CRD, NAD_CRD } from '../../kube/crds.ts';
import { waitFor } from '../command.ts';
import type { Client } from './client.ts';
import { DAEMON_SET, formatDaemonSet } from './handler/daemon-set.ts';
import { NAMESPACE } from './names.ts';
import { KUBEVIRT } from './objects.ts';

export const HANDLER_ACCOUNT = 'kubevirt-handler';
export const CONTROLLER_ACCOUNT = 'kubevirt-controller';
const CRD_DIR = join(import.meta.dirname, '../../fixtures/kubevirt-v1.8.4/crds-v1.8.4');
const TOKEN_SECONDS = 30 * 24 * 3600;

const core = { group: '', version: 'v1' } as const;
const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1', namespaced: false } as const;
const NAMESPACES: ResourceKind = { ...core, plural: 'namespaces', namespaced: false, kind: 'Namespace' };
const ACCOUNTS: ResourceKind = { ...core, plural: 'serviceaccounts', namespaced: true, kind: 'ServiceAccount' };
const ROLES: ResourceKind = { ...rbac, plural: 'clusterroles', kind: 'ClusterRole' };
const BINDINGS: ResourceKind = { ...rbac, plural: 'clusterrolebindings', kind: 'ClusterRoleBinding' };

type Rule = { apiGroups: string[]; resources: string[]; verbs: string[] };
type Crd = KubeObject & { spec?: object; status?: { conditions?: { type: string; status: string }[] } };

const READ = ['get', 'list', 'watch'];
const WRITE = [...READ, 'create', 'update', 'patch', 'delete'];
const HANDLER_RULES: Rule[] = [
  { apiGroups: ['kubevirt.io'], resources: ['*'], verbs: [...READ, 'update', 'patch'] },
  { apiGroups: [''], resources: ['pods'], verbs: READ },
  { apiGroups: [''], resources: ['nodes', 'nodes/status'], verbs: ['get', 'list', 'watch', 'patch'] },
  { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
  { apiGroups: ['apps'], resources: ['daemonsets'], verbs: [...READ, 'patch'] },
];
const CONTROLLER_RULES: Rule[] = [
  { apiGroups: ['kubevirt.io'], resources: ['*'], verbs: WRITE },
  { apiGroups: [''], resources: ['pods', 'pods/status'], verbs: WRITE },
  { apiGroups: [''], resources: ['nodes'], verbs: READ },
  { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
  { apiGroups: ['k8s.cni.cncf.io'], resources: ['network-attachment-definitions'], verbs: READ },
];

/**
 * What the node half needs wherever the controllers come from: its account, its rights, the CRD of NADs, and the
 * virt-handler pods that carry its migration traffic. Their annotations are left alone: virt-operator's part sees to them.
 */
export async function installNodeHalf(client: Client): Promise<void> {
  await ensureCrds(client, [NAD_CRD]);
  await ensure(client, NAMESPACES, { metadata: { name: NAMESPACE, labels: PRIVILEGED } });
  await ensureAccount(client, HANDLER_ACCOUNT, HANDLER_RULES);
  await ensure(client, DAEMON_SET, formatDaemonSet());
}

/** What the controller half needs besides: KubeVirt's CRDs, its account, and a KubeVirt CR. */
export async function installControllerHalf(client: Client): Promise<void> {
  const files = readdirSync(CRD_DIR).filter((file) => file.endsWith('.json'));
  await ensureCrds(
    client,
    files.map((file) => JSON.parse(readFileSync(join(CRD_DIR, file), 'utf8')) as Crd),
  );
  await ensureAccount(client, CONTROLLER_ACCOUNT, CONTROLLER_RULES);
  await ensureKubevirt(client);
}

/** A fresh token of one of the two accounts, good for thirty days. */
export async function requestToken(client: Client, account: string): Promise<string> {
  const path = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${account}/token`;
  const body = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: TOKEN_SECONDS },
  };
  const answer = (await client.transport.request({ method: 'POST', path, body })) as { status?: { token?: string } };
  if (answer.status?.token === undefined) throw new Error(`no token for ${account}`);
  return answer.status.token;
}

async function ensureCrds(client: Client, crds: readonly Crd[]): Promise<void> {
  const resource = client.resource<Crd>(CRD);
  await Promise.all(
    crds.map(async ({ status: _, ...crd }) => {
      const name = crd.metadata?.name ?? '';
      if ((await resource.find({ name })) === undefined) await ensure(client, CRD, crd);
      const served = await waitFor(async () => {
        const found = await resource.get({ name });
        return found.status?.conditions?.some((c) => c.type === 'Established' && c.status === 'True') || undefined;
      }, 30_000);
      if (served === undefined) throw new Error(`CRD ${name} is not served`);
    }),
  );
}

async function ensureAccount(client: Client, name: string, rules: Rule[]): Promise<void> {
  const role = `lab-${name}`;
  await ensure(client, ACCOUNTS, { metadata: { name, namespace: NAMESPACE } });
  await ensure(client, ROLES, { metadata: { name: role }, rules });
  await ensure(client, BINDINGS, {
    metadata: { name: role },
    roleRef: { apiGroup: rbac.group, kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name, namespace: NAMESPACE }],
  });
}

/** A KubeVirt CR is made once and then belongs to the lab's user. */
async function ensureKubevirt(client: Client): Promise<void> {
  const ref = { name: 'kubevirt', namespace: NAMESPACE };
  const configuration = {
    evictionStrategy: 'LiveMigrate',
    network: { binding: { managedtap: { domainAttachmentType: 'managedTap', migration: {} } } },
  };
  const known = await client.resource(KUBEVIRT).find(ref);
  if (known === undefined) await ensure(client, KUBEVIRT, { metadata: ref, spec: { configuration } });
  const status = { phase: 'Deployed', defaultArchitecture: 'amd64', observedKubeVirtVersion: 'v1.8.4' };
  await client.resource(KUBEVIRT).patchStatus(ref, { status });
}

async function ensure(client: Client, kind: ResourceKind, object: KubeObject & Record<string, unknown>): Promise<void> {
  await ensureObject(client.resource<KubeObject>(kind), object);
}

const PRIVILEGED = { 'pod-security.kubernetes.io/enforce': 'privileged' };
