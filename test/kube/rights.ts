import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { parseAllDocuments } from 'yaml';
import { createResource, createTransport, type KubeObject, systemClock, type Transport } from '../../src/kube/index.ts';
import { ensureHelm } from '../lab/binaries.ts';
import { runCommand } from '../lab/command.ts';
import { findCacheDir } from '../lab/state.ts';
import { until } from '../ovsdb/server.ts';
import { startControlPlane } from './apiserver.ts';

/** Where the chart is installed. */
export const RELEASE = 'mooring-system';
const CHART = join(import.meta.dirname, '../../charts/mooring');
const VALUES = join(import.meta.dirname, '../lab/values.yaml');
const WORKLOADS: readonly (string | undefined)[] = ['Deployment', 'DaemonSet'];

export type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
export type Call = { readonly method: Method; readonly path: string; readonly body?: object | undefined };
export type Answer = { readonly status: number; readonly text: string };

/** A real API server that is asked what a service account of the chart may do. */
export type RightsStage = AsyncDisposable & {
  readonly admin: Transport;
  /** Makes objects of kinds that every API server knows, as its administrator. */
  apply(objects: readonly KubeObject[]): Promise<void>;
  /** A call of that service account; `headers` tell more of who it is. */
  send(call: Call, headers?: Record<string, string>): Promise<Answer>;
};

/** Starts an API server with the release's namespace in it; `account` is a service account there. */
export async function startRightsStage(account: string): Promise<RightsStage> {
  await using cleanup = new AsyncDisposableStack();
  const { endpoint, stop } = await startControlPlane(process.env);
  cleanup.defer(stop);
  const admin = createTransport({ endpoint, clock: systemClock });
  cleanup.defer(() => admin.close());
  const dispatcher = new Agent({ connect: { ca: endpoint.tls?.ca ?? '' } });
  cleanup.defer(() => dispatcher.destroy());
  await apply(admin, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: RELEASE } });
  const owned = cleanup.move();
  return {
    admin,
    apply: async (objects) => {
      for (const object of objects) await apply(admin, object);
    },
    send: async ({ method, path, body }, headers = {}) => {
      const answer = await request(`${endpoint.server}/${path}`, {
        ...{ method, dispatcher, body: body === undefined ? null : JSON.stringify(body) },
        headers: {
          authorization: (await endpoint.authorization?.()) ?? '',
          'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
          'impersonate-user': `system:serviceaccount:${RELEASE}:${account}`,
          ...headers,
        },
      });
      return { status: answer.statusCode, text: await answer.body.text() };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The objects of a template, without workloads, as Helm renders it with the lab's values and these: `key=value`. */
export async function readTemplate(name: string, ...sets: string[]): Promise<KubeObject[]> {
  const cache = findCacheDir(process.env);
  mkdirSync(cache, { recursive: true });
  const flags = ['-n', RELEASE, '-f', VALUES, '-s', `templates/${name}`, ...sets.flatMap((set) => ['--set', set])];
  const text = await runCommand([await ensureHelm(cache), 'template', 'mooring', CHART, ...flags]);
  const objects = parseAllDocuments(text).flatMap((document) => (document.toJS() as KubeObject | null) ?? []);
  return objects.filter(({ kind }) => !WORKLOADS.includes(kind));
}

/** What a user has in one namespace, or in the whole cluster: roles by name, and `all` for everything. */
export function formatGrants(user: string, namespace: string | undefined, roles: readonly string[]): KubeObject[] {
  const group = 'rbac.authorization.k8s.io';
  const [apiVersion, where] = [`${group}/v1`, namespace === undefined ? {} : { namespace }];
  const rules = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
  return roles.flatMap((role) => {
    const ownName = `${user.replaceAll(':', '.')}.${role}`;
    const own = role === 'all' ? [{ apiVersion, kind: 'ClusterRole', metadata: { name: ownName }, rules }] : [];
    const kind = namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding';
    const roleRef = { apiGroup: group, kind: 'ClusterRole', name: role === 'all' ? ownName : role };
    const subjects = [{ apiGroup: group, kind: 'User', name: user }];
    return [...own, { apiVersion, kind, metadata: { name: ownName, ...where }, roleRef, subjects }];
  });
}

/**
 * A policy takes a moment until the API server enforces it; `ask` is a call that it refuses. What is asked for must be a
 * change each time (`turn` is a new word) or leave no trace (dryRun): the first calls come before the policy does.
 */
export async function whenRefused(ask: (turn: string) => Promise<Answer>): Promise<void> {
  let turn = 0;
  await until('the policy is in force', async () => {
    turn += 1;
    return (await ask(`turn-${turn}`)).status === 422;
  });
}

/** Makes an object of a kind that every API server knows. */
export async function apply(admin: Transport, object: KubeObject): Promise<void> {
  const [group = '', version = 'v1'] = object.apiVersion?.includes('/') ? object.apiVersion.split('/') : ['', 'v1'];
  const kind = object.kind ?? '';
  const plural = kind.endsWith('y') ? `${kind.toLowerCase().slice(0, -1)}ies` : `${kind.toLowerCase()}s`;
  const namespaced = object.metadata?.namespace !== undefined;
  await createResource(admin, { group, version, plural, kind, namespaced }).create(object);
}
