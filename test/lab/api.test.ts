import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KINDS } from '../../src/api/group.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { type FakeApiServer, startFakeApiServer } from '../../src/kube/testing/fake-api-server.ts';
import { findKind, mergeObject, parseSelection, readList, readObject, tryCreate } from './api.ts';

describe('findKind', () => {
  it('knows kinds by the names that tests use', () => {
    expect(findKind('lp')).toMatchObject({ plural: 'logicalports' });
    expect(findKind('pod')).toBe(findKind('pods'));
    expect(findKind('deployment')).toMatchObject({ group: 'apps', plural: 'deployments' });
  });

  it('leaves to kubectl what it does not know', () => {
    expect([findKind('secrets'), findKind('constructor'), findKind('')]).toEqual([undefined, undefined, undefined]);
  });
});

describe('parseSelection', () => {
  it.each<[string, string[], object | undefined]>([
    ['nothing: the default namespace', [], { namespace: 'default' }],
    ['a namespace', ['-n', 'a'], { namespace: 'a' }],
    ['every namespace', ['-A'], { namespace: undefined }],
    ['labels', ['-n', 'a', '-l', 'x=y,z'], { namespace: 'a', labelSelector: 'x=y,z' }],
    ['fields', ['-n', 'a', '--field-selector', 'x=y'], { namespace: 'a', fieldSelector: 'x=y' }],
    ['fields of every namespace', ['-A', '--field-selector', 'x=y'], { namespace: undefined, fieldSelector: 'x=y' }],
    ['a flag that only kubectl knows', ['-n', 'a', '--show-labels'], undefined],
    ['a flag without its value', ['-n', 'a', '-l'], undefined],
    ['a name', ['one'], undefined],
  ])('reads %s', (_what, flags, wanted) => {
    expect(parseSelection(flags)).toEqual(wanted);
  });
});

describe('the API server', () => {
  const PODS = 'v1/pods';
  const at = { namespace: 'a', name: 'one' };
  let server: FakeApiServer;
  let dir: string;
  let lab: Parameters<typeof readObject>[0];

  beforeEach(async () => {
    server = await startFakeApiServer();
    dir = mkdtempSync(join(tmpdir(), 'lab-api-'));
    for (const file of ['ca.crt', 'admin.crt', 'admin.key']) writeFileSync(join(dir, file), '');
    const pki = { dir, ca: join(dir, 'ca.crt'), caKey: '', serviceAccountKey: '' };
    lab = { pki, apiserver: { host: '', port: 0, url: server.endpoint.server } };
    const metadata = { ...at, labels: { app: 'x' }, managedFields: [{ manager: 'kubectl' }] };
    server.storage.create(PODS, { metadata } as KubeObject);
  });
  afterEach(async () => {
    await server.stop();
    rmSync(dir, { recursive: true });
  });

  it('gives the object as kubectl shows it', async () => {
    const found = await readObject(lab, KINDS.pod, at);
    expect(found).toMatchObject({ apiVersion: 'v1', kind: 'Pod', metadata: { ...at, labels: { app: 'x' } } });
    expect(found).not.toHaveProperty('metadata.managedFields');
  });

  it('gives undefined for one that is not there', async () => {
    expect(await readObject(lab, KINDS.pod, { namespace: 'a', name: 'two' })).toBeUndefined();
  });

  it('gives the objects of a selection, each with its kind', async () => {
    server.storage.create(PODS, { metadata: { namespace: 'a', name: 'two' } });
    server.storage.create(PODS, { metadata: { namespace: 'b', name: 'one', labels: { app: 'x' } } });
    const list = async (selection: object) =>
      (await readList(lab, KINDS.pod, selection)).map((pod) => (pod as KubeObject).metadata);
    expect(await list({ namespace: 'a' })).toMatchObject([{ name: 'one' }, { name: 'two' }]);
    expect(await list({ labelSelector: 'app=x' })).toMatchObject([{ namespace: 'a' }, { namespace: 'b' }]);
    expect(await readList(lab, KINDS.pod, { namespace: 'b' })).toMatchObject([{ apiVersion: 'v1', kind: 'Pod' }]);
  });

  it('asks once more when the connection is lost, and no third time', async () => {
    let left = 1;
    server.fault = () => (left-- > 0 ? 'reset' : undefined);
    expect(await readObject(lab, KINDS.pod, at)).toMatchObject({ kind: 'Pod' });
    server.fault = () => 'reset';
    await expect(readObject(lab, KINDS.pod, at)).rejects.toMatchObject({ reason: 'Network' });
    expect(server.requests).toHaveLength(4);
  });

  it('says at once what the server says', async () => {
    server.fault = () => ({ status: 403, reason: 'Forbidden', message: 'no' });
    await expect(readObject(lab, KINDS.pod, at)).rejects.toMatchObject({ reason: 'Forbidden' });
    expect(server.requests).toHaveLength(1);
  });

  it('makes what is not there as kubectl applies it, with what kubectl compares the next form with', async () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'a', name: 'two', annotations: { x: 'y' } } };
    expect(await tryCreate(lab, pod)).toBe(true);
    const { annotations = {} } = server.storage.get(PODS, 'a/two').metadata;
    expect(annotations.x).toBe('y');
    expect(JSON.parse(annotations['kubectl.kubernetes.io/last-applied-configuration'] ?? '')).toEqual(pod);
    const { query, verb } = server.requests.at(-1) ?? {};
    expect([verb, query?.get('fieldValidation')]).toEqual(['create', 'Strict']);
  });

  it('leaves to kubectl what is there, and kinds that it does not know', async () => {
    const there = { apiVersion: 'v1', kind: 'Pod', metadata: at };
    expect(await tryCreate(lab, there)).toBe(false);
    expect(await tryCreate(lab, { apiVersion: 'v1', kind: 'Secret', metadata: at })).toBe(false);
    expect(await tryCreate(lab, { apiVersion: 'v2', kind: 'Pod', metadata: { ...at, name: 'two' } })).toBe(false);
    expect(server.requests.map(({ verb }) => verb)).toEqual(['get']);
  });

  it('says why something is not made, and tries no second time', async () => {
    server.fault = ({ verb }) => (verb === 'create' ? { status: 422, reason: 'Invalid', message: 'no' } : undefined);
    const wrong = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'a', name: 'two' } };
    await expect(tryCreate(lab, wrong)).rejects.toMatchObject({ reason: 'Invalid' });
    expect(server.requests.map(({ verb }) => verb)).toEqual(['get', 'create']);
  });

  it('changes what is there, and throws for what is not', async () => {
    await mergeObject(lab, KINDS.pod, { ...at, body: { metadata: { labels: { app: null, other: 'z' } } } });
    expect(server.storage.get(PODS, 'a/one').metadata.labels).toEqual({ other: 'z' });
    const absent = mergeObject(lab, KINDS.pod, { namespace: 'a', name: 'two', body: {} });
    await expect(absent).rejects.toMatchObject({ class: 'notFound' });
  });
});
