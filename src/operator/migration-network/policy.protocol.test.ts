import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { startControlPlane, type TestControlPlane } from '../../../test/kube/apiserver.ts';
import { CRD, NAD_CRD } from '../../../test/kube/crds.ts';
import { KINDS } from '../../api/group.ts';
import { createResource, createTransport, type KubeObject, systemClock, type Transport } from '../../kube/index.ts';

/** What the chart lets the operator write of KubeVirt and of definitions, asked of a real API server. */
const ROOT = join(import.meta.dirname, '../../..');
const RELEASE = 'mooring-system';
const OPERATOR = `system:serviceaccount:${RELEASE}:mooring-operator`;
const KUBEVIRT = 'apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts/kubevirt';
const NADS = 'apis/k8s.cni.cncf.io/v1/namespaces/kubevirt/network-attachment-definitions';
const MARK = 'mooring.dev/migration-network';

let plane: TestControlPlane;
let admin: Transport;
let dispatcher: Agent;
beforeAll(async () => {
  plane = await startControlPlane(process.env);
  admin = createTransport({ endpoint: plane.endpoint, clock: systemClock });
  dispatcher = new Agent({ connect: { ca: plane.endpoint.tls?.ca ?? '' } });
  const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
  const { status: _, ...crd } = JSON.parse(
    read('test/fixtures/kubevirt-v1.8.4/crds-v1.8.4/kubevirts.kubevirt.io.json'),
  ) as KubeObject & { status?: unknown };
  for (const object of [crd, NAD_CRD]) await createResource(admin, CRD).create(object);
  for (const name of [RELEASE, 'kubevirt']) await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  const rights = readTemplate('operator.yaml').filter(({ kind }) => kind?.startsWith('ClusterRole'));
  for (const object of [...rights, ...readTemplate('operator-policy.yaml')]) await apply(object);
  await untilServed();
  await createResource(admin, KINDS.kubevirt).create({
    metadata: { name: 'kubevirt', namespace: 'kubevirt', annotations: { note: 'theirs' }, labels: { a: 'b' } },
    spec: { imageTag: 'v1', configuration: { evictionStrategy: 'LiveMigrate', migrations: { allowPostCopy: true } } },
  } as KubeObject);
  await createResource(admin, KINDS.nad).create(formatNad('wire'));
  await untilInForce();
});
afterAll(async () => {
  await dispatcher?.destroy();
  await admin?.close();
  await plane?.stop();
});

const formatNad = (name: string) =>
  ({ metadata: { name, namespace: 'kubevirt' }, spec: { config: '{"type":"macvlan"}' } }) as KubeObject;

/** The chart's text without what Helm fills in. */
function readTemplate(name: string): KubeObject[] {
  const text = readFileSync(join(ROOT, 'charts/mooring/templates', name), 'utf8').split('apiVersion: apps/v1')[0] ?? '';
  const plain = text.replace(/^.*\{\{- include.*\n/gm, '').replaceAll('{{ .Release.Namespace }}', RELEASE);
  return parseAllDocuments(plain).flatMap((document) => (document.toJS() as KubeObject | null) ?? []);
}

async function apply(object: KubeObject): Promise<void> {
  const [group = '', version = 'v1'] = object.apiVersion?.includes('/') ? object.apiVersion.split('/') : ['', 'v1'];
  const kind = object.kind ?? '';
  const plural = kind.endsWith('y') ? `${kind.toLowerCase().slice(0, -1)}ies` : `${kind.toLowerCase()}s`;
  await createResource(admin, { group, version, plural, kind, namespaced: false }).create(object);
}

async function untilServed(): Promise<void> {
  const end = performance.now() + 30_000;
  const list = () =>
    Promise.all([KINDS.kubevirt, KINDS.nad].map((kind) => createResource(admin, kind).list({ limit: 1 })));
  while (!(await list().then(Boolean, () => false)) && performance.now() < end) await delay(50);
}

type Method = 'POST' | 'PATCH' | 'DELETE';
type Answer = { readonly status: number; readonly text: string };

/** The API server as the operator sees it. */
async function send(method: Method, path: string, body?: object): Promise<Answer> {
  const { server, authorization } = plane.endpoint;
  const answer = await request(`${server}/${path}`, {
    ...{ method, dispatcher, body: body === undefined ? null : JSON.stringify(body) },
    headers: {
      authorization: (await authorization?.()) ?? '',
      'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
      'impersonate-user': OPERATOR,
    },
  });
  return { status: answer.statusCode, text: await answer.body.text() };
}

/** A policy takes a moment until the API server enforces it. */
async function untilInForce(): Promise<void> {
  const end = performance.now() + 20_000;
  const isEnforced = async () =>
    (await send('PATCH', KUBEVIRT, { spec: { imageTag: 'v2' } })).status === 422 &&
    (await send('PATCH', `${NADS}/wire`, { spec: { config: '{}' } })).status === 422;
  while (!(await isEnforced()) && performance.now() < end) await delay(50);
}

const setMigrations = (migrations: object | null) => ({ spec: { configuration: { migrations } } });

describe('the operator may', () => {
  it('set network and bandwidth with its mark, and take them back', async () => {
    const annotations = (value: string | null) => ({ metadata: { annotations: { [MARK]: value } } });
    const set = { ...annotations('{}'), ...setMigrations({ network: 'n', bandwidthPerMigration: '64Mi' }) };
    expect(await send('PATCH', KUBEVIRT, set)).toMatchObject({ status: 200 });
    const back = { ...annotations(null), ...setMigrations({ network: null, bandwidthPerMigration: null }) };
    const answer = await send('PATCH', KUBEVIRT, back);
    expect(answer).toMatchObject({ status: 200 });
    expect(JSON.parse(answer.text).spec.configuration.migrations).toEqual({ allowPostCopy: true });
  });

  it('make, change and delete the definition of a MigrationNetwork', async () => {
    const nad = {
      apiVersion: 'k8s.cni.cncf.io/v1',
      kind: 'NetworkAttachmentDefinition',
      ...formatNad('mooring-migration-a'),
    };
    expect(await send('POST', NADS, nad)).toMatchObject({ status: 201 });
    const path = `${NADS}/mooring-migration-a`;
    expect(await send('PATCH', path, { spec: { config: '{"type":"bridge"}' } })).toMatchObject({ status: 200 });
    expect(await send('DELETE', path)).toMatchObject({ status: 200 });
  });
});

describe('the operator may not', () => {
  const generated = { apiVersion: 'k8s.cni.cncf.io/v1', kind: 'NetworkAttachmentDefinition' };
  it.each<[string, Method, string, object | undefined]>([
    ['change another field of migrations', 'PATCH', KUBEVIRT, setMigrations({ allowPostCopy: false })],
    ['add another field of migrations', 'PATCH', KUBEVIRT, setMigrations({ disableTLS: true })],
    ['remove the migrations of others', 'PATCH', KUBEVIRT, setMigrations(null)],
    ['change the configuration', 'PATCH', KUBEVIRT, { spec: { configuration: { evictionStrategy: 'None' } } }],
    ['remove the configuration', 'PATCH', KUBEVIRT, { spec: { configuration: null } }],
    ['change what else KubeVirt is to be', 'PATCH', KUBEVIRT, { spec: { imageTag: 'v9' } }],
    ['add to what KubeVirt is to be', 'PATCH', KUBEVIRT, { spec: { imageRegistry: 'example.org' } }],
    ['change an annotation of others', 'PATCH', KUBEVIRT, { metadata: { annotations: { note: 'ours' } } }],
    ['remove an annotation of others', 'PATCH', KUBEVIRT, { metadata: { annotations: { note: null } } }],
    ['change a label', 'PATCH', KUBEVIRT, { metadata: { labels: { a: 'c' } } }],
    ['set a finalizer', 'PATCH', KUBEVIRT, { metadata: { finalizers: ['mooring.dev/x'] } }],
    ["change a user's definition", 'PATCH', `${NADS}/wire`, { spec: { config: '{"type":"host-device"}' } }],
    ["delete a user's definition", 'DELETE', `${NADS}/wire`, undefined],
    ['make a definition of another name', 'POST', NADS, { ...generated, ...formatNad('other') }],
  ])('%s', async (_what, ...[method, path, body]) => {
    expect(await send(method, path, body)).toMatchObject({
      status: 422,
      text: expect.stringContaining('the operator may write only'),
    });
  });

  it('delete KubeVirt', async () => {
    expect(await send('DELETE', KUBEVIRT)).toMatchObject({ status: 403 });
  });
});
