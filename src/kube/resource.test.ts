import { describe, expect, it } from 'vitest';
import { createResource, formatApiVersion, formatListPath, formatObjectPath, type ResourceKind } from './resource.ts';
import { createHarness, PODS } from './testing/harness.ts';
import type { KubeObject } from './types.ts';

const SUBNETS: ResourceKind = {
  group: 'mooring.dev',
  version: 'v1alpha1',
  plural: 'subnets',
  namespaced: false,
  kind: 'Subnet',
};

describe('paths', () => {
  it.each([
    ['a core kind in all namespaces', formatListPath(PODS), '/api/v1/pods'],
    ['a core kind in one namespace', formatListPath(PODS, 'a'), '/api/v1/namespaces/a/pods'],
    ['a cluster kind', formatListPath(SUBNETS), '/apis/mooring.dev/v1alpha1/subnets'],
    ['a cluster kind, whatever the namespace', formatListPath(SUBNETS, 'a'), '/apis/mooring.dev/v1alpha1/subnets'],
    ['an object', formatObjectPath(PODS, { namespace: 'a', name: 'p' }), '/api/v1/namespaces/a/pods/p'],
    ['a status', formatObjectPath(SUBNETS, { name: 's' }, 'status'), '/apis/mooring.dev/v1alpha1/subnets/s/status'],
    [
      'a name with a colon',
      formatObjectPath(SUBNETS, { name: 'system:x' }),
      '/apis/mooring.dev/v1alpha1/subnets/system%3Ax',
    ],
  ])('of %s', (_, path, expected) => {
    expect(path).toBe(expected);
  });

  it.each(['', '.', '..', 'a/b', '../x', '%2e%2e', 'x/../../secrets'])(
    'refuse the name %j, which would lead elsewhere',
    (name) => {
      const refused = expect.objectContaining({ class: 'terminal', reason: 'BadName' });
      expect(() => formatObjectPath(SUBNETS, { name })).toThrow(refused);
      expect(() => formatObjectPath(PODS, { namespace: name, name: 'p' })).toThrow(refused);
    },
  );

  it('refuse a namespaced object without a namespace', () => {
    expect(() => formatObjectPath(PODS, { name: 'p' })).toThrow('has no namespace');
  });

  it('know how an apiVersion is written', () => {
    expect([formatApiVersion(PODS), formatApiVersion(SUBNETS)]).toEqual(['v1', 'mooring.dev/v1alpha1']);
  });
});

describe('resource', () => {
  const ref = { namespace: 'a', name: 'p' };

  it('puts apiVersion and kind into what it sends, and never into patches', async () => {
    await using h = await createHarness();
    const pods = createResource<KubeObject>(h.transport, PODS);
    await pods.create({ metadata: { name: 'p', namespace: 'a' } });
    expect(h.server.requests.at(-1)?.body).toMatchObject({ apiVersion: 'v1', kind: 'Pod' });
    await pods.patch(ref, { metadata: { labels: { a: 'b' } } }, { fieldManager: 'me' });
    const patch = h.server.requests.at(-1);
    expect([patch?.body, patch?.contentType]).toEqual([
      { metadata: { labels: { a: 'b' } } },
      'application/merge-patch+json',
    ]);
    expect(patch?.query.get('fieldManager')).toBe('me');
  });

  it('applies with its field manager and, when asked, by force', async () => {
    await using h = await createHarness();
    const pods = createResource<KubeObject>(h.transport, PODS);
    await pods.apply({ metadata: { name: 'p', namespace: 'a' } }, { fieldManager: 'me' });
    await pods.applyStatus({ metadata: { name: 'p', namespace: 'a' } }, { fieldManager: 'me', force: true });
    const [first, second] = h.server.requests;
    expect(first?.contentType).toBe('application/apply-patch+yaml');
    expect([first?.query.toString(), second?.query.toString()]).toEqual([
      'fieldManager=me',
      'fieldManager=me&force=true',
    ]);
  });

  it('replaces object and status apart', async () => {
    await using h = await createHarness();
    const pods = createResource<KubeObject & { spec?: object; status?: object }>(h.transport, PODS);
    const made = await pods.create({ metadata: { name: 'p', namespace: 'a' }, spec: { a: 1 } });
    await pods.updateStatus({ ...made, spec: {}, status: { ready: true } });
    expect(await pods.get(ref)).toMatchObject({ spec: { a: 1 }, status: { ready: true } });
    await expect(pods.update(made)).rejects.toMatchObject({ class: 'conflict' });
  });

  it('deletes only the very object that was meant', async () => {
    await using h = await createHarness();
    h.addPod('p');
    const pods = createResource<KubeObject>(h.transport, PODS);
    await expect(pods.delete(ref, { uid: 'other' })).rejects.toMatchObject({ class: 'conflict' });
    await expect(pods.delete(ref, { resourceVersion: '1' })).rejects.toMatchObject({ class: 'conflict' });
    await pods.delete(ref, { uid: 'uid-1', propagationPolicy: 'Background' });
    expect(h.server.requests.at(-1)?.body).toMatchObject({
      propagationPolicy: 'Background',
      preconditions: { uid: 'uid-1' },
    });
    await pods.delete(ref);
  });

  it('gives undefined only for absence: other failures of find are thrown', async () => {
    await using h = await createHarness();
    const pods = createResource<KubeObject>(h.transport, PODS);
    expect(await pods.find(ref)).toBeUndefined();
    h.server.fault = () => ({ status: 500 });
    await expect(pods.find(ref)).rejects.toMatchObject({ status: 500 });
  });

  it('takes a list whose items are null for an empty one', async () => {
    await using h = await createHarness();
    h.server.fault = () => ({ raw: '{"metadata":{"resourceVersion":"7","continue":""},"items":null}' });
    const pods = createResource<KubeObject>(h.transport, PODS);
    expect(await pods.list()).toEqual({ items: [], resourceVersion: '7', continue: undefined });
  });
});
