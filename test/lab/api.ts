import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KINDS } from '../../src/api/group.ts';
// Not by the index: that also loads the library that reads any kubeconfig, which takes longer than a test's reads.
import { systemClock } from '../../src/kube/clock.ts';
import { ApiError, isNotFound } from '../../src/kube/errors.ts';
import {
  formatApiVersion,
  formatListPath,
  formatObjectPath,
  type ResourceKind,
  type Selection,
} from '../../src/kube/resource.ts';
import { type ApiRequest, createTransport, type Transport } from '../../src/kube/transport.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import type { LabState } from './state.ts';

/**
 * The lab's API server from within this process, for what tests do most: they read several times a second while they
 * wait, and starting kubectl for each costs a tenth of a second of one of two cores, which the guests need.
 */
const apps = { group: 'apps', version: 'v1', namespaced: true } as const;
const SLICE = { group: 'discovery.k8s.io', version: 'v1', plural: 'endpointslices', kind: 'EndpointSlice' } as const;
const READABLE: ReadonlyMap<string, ResourceKind> = new Map([
  ['pod', KINDS.pod],
  ['pods', KINDS.pod],
  ['node', KINDS.node],
  ['nodes', KINDS.node],
  ['namespace', KINDS.namespace],
  ['serviceaccount', { group: '', version: 'v1', plural: 'serviceaccounts', namespaced: true, kind: 'ServiceAccount' }],
  ['service', { group: '', version: 'v1', plural: 'services', namespaced: true, kind: 'Service' }],
  ['events', KINDS.event],
  ['lease', KINDS.lease],
  ['lp', KINDS.logicalPort],
  ['vm', KINDS.vm],
  ['vmi', KINDS.vmi],
  ['vmim', KINDS.vmim],
  ['kubevirt', KINDS.kubevirt],
  ['net-attach-def', KINDS.nad],
  ['subnets.mooring.dev', KINDS.subnet],
  ['vpcs.mooring.dev', KINDS.vpc],
  ['ippools.mooring.dev', KINDS.ipPool],
  ['migrationnetworks.mooring.dev', KINDS.migrationNetwork],
  ['deployment', { ...apps, plural: 'deployments', kind: 'Deployment' }],
  ['deployments', { ...apps, plural: 'deployments', kind: 'Deployment' }],
  ['daemonsets', { ...apps, plural: 'daemonsets', kind: 'DaemonSet' }],
  ['endpointslices', { ...SLICE, namespaced: true }],
]);

/** kubectl's own patience. */
const TIMEOUT_MS = 120_000;
/** What kubectl takes when no namespace is named. */
const DEFAULT_NAMESPACE = 'default';

/** The kind that kubectl knows by this name, where it can be read here; undefined for all others. */
export const findKind = (name: string): ResourceKind | undefined => READABLE.get(name);

/** kubectl's flags `-n`, `-A`, `-l` and `--field-selector` as a selection; undefined when there is any other. */
export function parseSelection(flags: readonly string[]): Selection | undefined {
  const found: Selection = { namespace: DEFAULT_NAMESPACE };
  for (let at = 0; at < flags.length; at += 1) {
    const flag = flags[at];
    if (flag === '-A') {
      found.namespace = undefined;
      continue;
    }
    const field = flag === undefined ? undefined : FIELDS.get(flag);
    at += 1;
    const value = flags[at];
    if (field === undefined || value === undefined) return undefined;
    found[field] = value;
  }
  return found;
}

const FIELDS = new Map<string, keyof Selection>([
  ['-n', 'namespace'],
  ['-l', 'labelSelector'],
  ['--field-selector', 'fieldSelector'],
]);

type Lab = Pick<LabState, 'pki' | 'apiserver'>;
type Place = { readonly namespace: string; readonly name: string };

/** The object as kubectl shows it, or undefined when there is none. Throws ApiError. */
export async function readObject(lab: Lab, kind: ResourceKind, place: Place): Promise<object | undefined> {
  try {
    return formatRead(kind, (await read(lab, { path: formatObjectPath(kind, place) })) as KubeObject);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The objects as kubectl shows them. Throws ApiError. */
export async function readList(lab: Lab, kind: ResourceKind, selection: Selection): Promise<object[]> {
  const { namespace, labelSelector, fieldSelector } = selection;
  const query = { labelSelector, fieldSelector };
  const { items } = (await read(lab, { path: formatListPath(kind, namespace), query })) as { items: KubeObject[] };
  return items.map((item) => formatRead(kind, item));
}

/** A list names the kind of its items once, and who wrote which field is of no use here. */
function formatRead(kind: ResourceKind, object: KubeObject): object {
  const { managedFields: _, ...metadata } = (object.metadata ?? {}) as { managedFields?: unknown };
  return { apiVersion: formatApiVersion(kind), kind: kind.kind, ...object, metadata };
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * Makes an object as `kubectl apply` makes one that is not there, so that kubectl can apply its next form. False, and
 * nothing is done, when it is there, or its kind cannot be written here. Throws ApiError, also for a field that the
 * kind does not have.
 */
export async function tryCreate(lab: Lab, object: KubeObject): Promise<boolean> {
  const kind = [...READABLE.values()].find(
    (one) => one.kind === object.kind && formatApiVersion(one) === object.apiVersion,
  );
  const { name, namespace = DEFAULT_NAMESPACE, annotations } = object.metadata ?? {};
  if (kind === undefined || name === undefined) return false;
  if ((await readObject(lab, kind, { namespace, name })) !== undefined) return false;
  const marks = { ...annotations, [LAST_APPLIED]: JSON.stringify(object) };
  const body = { ...object, metadata: { ...object.metadata, annotations: marks } };
  const query = { fieldManager: 'kubectl-client-side-apply', fieldValidation: 'Strict' };
  const request = { method: 'POST', path: formatListPath(kind, namespace), query, body } as const;
  await openTransport(lab).request({ ...request, timeoutMs: TIMEOUT_MS });
  return true;
}

/** Changes an object by a merge patch, as `kubectl patch` does. Throws ApiError. */
export async function mergeObject(lab: Lab, kind: ResourceKind, change: Place & { body: object }): Promise<void> {
  const path = formatObjectPath(kind, change);
  const contentType = 'application/merge-patch+json';
  const request = { method: 'PATCH', path, contentType, body: change.body } as const;
  await openTransport(lab).request({ ...request, query: { fieldManager: 'kubectl-patch' }, timeoutMs: TIMEOUT_MS });
}

/** A kept connection that the server has closed meanwhile says nothing about the server: one more try on another. */
async function read(lab: Lab, reading: Pick<ApiRequest, 'path' | 'query'>): Promise<unknown> {
  const request = { ...reading, timeoutMs: TIMEOUT_MS };
  const transport = openTransport(lab);
  try {
    return await transport.request(request);
  } catch (error) {
    const isLost = error instanceof ApiError && error.status === 0 && error.reason === 'Network';
    if (!isLost) throw error;
    return transport.request(request);
  }
}

/** One for each lab: one that was made anew has another authority. Idle connections keep no process alive. */
const transports = new Map<string, Transport>();

/** As the lab's administrator. */
function openTransport({ pki, apiserver }: Lab): Transport {
  const key = `${apiserver.url} ${pki.ca} ${statSync(pki.ca).mtimeMs}`;
  const known = transports.get(key);
  if (known !== undefined) return known;
  const [cert, secret] = [readFileSync(join(pki.dir, 'admin.crt')), readFileSync(join(pki.dir, 'admin.key'))];
  const tls = { ca: readFileSync(pki.ca), cert, key: secret };
  const endpoint = { server: apiserver.url, tls, authorization: async () => undefined, namespace: DEFAULT_NAMESPACE };
  const transport = createTransport({ endpoint, clock: systemClock, userAgent: 'lab' });
  transports.set(key, transport);
  return transport;
}
