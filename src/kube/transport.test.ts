import { describe, expect, it } from 'vitest';
import { systemClock } from './clock.ts';
import { ApiError } from './errors.ts';
import { eventually } from './testing/eventually.ts';
import { createHarness } from './testing/harness.ts';
import { createTransport, formatUrl } from './transport.ts';

const PATH = '/api/v1/namespaces/a/pods/p';
const failureOf = (promise: Promise<unknown>): Promise<ApiError> =>
  promise.then(
    () => expect.fail('it succeeded'),
    (error: ApiError) => error,
  );

describe('transport', () => {
  it('sends 200 calls in a row over kept connections, with the bearer token', async () => {
    await using h = await createHarness();
    h.addPod('p');
    for (let n = 0; n < 200; n += 1) await h.transport.request({ path: PATH });
    expect(h.server.connections()).toBeLessThanOrEqual(3);
    expect(h.server.requests.at(-1)?.authorization).toBe('Bearer t');
  });

  it('sends 300 calls at once over no more than 16 connections', async () => {
    await using h = await createHarness();
    h.addPod('p');
    await Promise.all(Array.from({ length: 300 }, () => h.transport.request({ path: PATH })));
    expect(h.server.requests).toHaveLength(300);
    expect(h.server.connections()).toBeLessThanOrEqual(16);
  });

  it('does not let many watches take the connections of calls', async () => {
    await using h = await createHarness();
    h.addPod('p');
    const stop = new AbortController();
    const drain = async () => {
      for await (const _ of h.transport.stream({ path: '/api/v1/pods', query: { watch: true }, signal: stop.signal }));
    };
    const watches = Array.from({ length: 40 }, () => drain().catch(() => 'ended'));
    await eventually('40 watches', () => h.server.watches.size === 40);
    await h.transport.request({ path: PATH });
    stop.abort();
    expect(new Set(await Promise.all(watches))).toEqual(new Set(['ended']));
    await eventually('their end', () => h.server.watches.size === 0);
  });

  it.each([
    [404, 'notFound'],
    [409, 'conflict'],
    [400, 'terminal'],
    [422, 'terminal'],
    [413, 'terminal'],
    [401, 'retry'],
    [403, 'retry'],
    [410, 'retry'],
    [429, 'retry'],
    [500, 'retry'],
    [503, 'retry'],
    [504, 'retry'],
  ])('makes a typed error of status %i', async (status, kind) => {
    await using h = await createHarness();
    h.server.fault = () => ({ status, reason: 'Why', retryAfter: 3 });
    const error = await failureOf(h.transport.request({ path: PATH }));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      status,
      reason: 'Why',
      class: kind,
      retryAfterMs: 3000,
      message: 'an injected fault',
    });
  });

  it.each(['reset', 'lostAnswer'] as const)('makes a retry error of a broken connection (%s)', async (fault) => {
    await using h = await createHarness();
    h.addPod('p');
    h.server.fault = () => fault;
    expect(await failureOf(h.transport.request({ path: PATH }))).toMatchObject({
      status: 0,
      reason: 'Network',
      class: 'retry',
    });
    h.server.fault = undefined;
    expect(await h.transport.request({ path: PATH })).toMatchObject({ metadata: { name: 'p' } });
  });

  it('makes a retry error of a server that does not listen', async () => {
    await using h = await createHarness();
    await h.server.stop();
    expect(await failureOf(h.transport.request({ path: PATH }))).toMatchObject({ reason: 'Network', class: 'retry' });
  });

  it('ends a call after its own time, and leaves no timer after any call', async () => {
    await using h = await createHarness();
    h.addPod('p');
    await h.transport.request({ path: PATH, timeoutMs: 500 });
    expect(h.clock.pending()).toEqual([]);
    h.server.fault = () => 'silence';
    const call = failureOf(h.transport.request({ path: PATH, timeoutMs: 500 }));
    await eventually('the timer', () => h.clock.pending().length === 1);
    h.clock.advance(500);
    expect(await call).toMatchObject({ reason: 'Timeout', class: 'retry' });
    expect(h.clock.pending()).toEqual([]);
  });

  it('throws the reason of the caller who aborts, before and during the call', async () => {
    await using h = await createHarness();
    h.server.fault = () => 'silence';
    const stop = new AbortController();
    const call = h.transport.request({ path: PATH, signal: stop.signal });
    await eventually('the request', () => h.server.requests.length === 1);
    stop.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    await expect(h.transport.request({ path: PATH, signal: stop.signal })).rejects.toThrow('enough');
    expect(h.server.requests).toHaveLength(1);
  });

  it('refuses a body or a line that is too long, and an answer that is no JSON', async () => {
    await using h = await createHarness();
    const small = createTransport({
      endpoint: h.server.endpoint,
      clock: systemClock,
      maxBodyBytes: 100,
      maxLineBytes: 50,
    });
    h.server.fault = () => ({ raw: `"${'x'.repeat(200)}"` });
    expect(await failureOf(small.request({ path: PATH }))).toMatchObject({ reason: 'TooLarge' });
    const read = async () => {
      for await (const _ of small.stream({ path: '/api/v1/pods', query: { watch: true } }));
    };
    expect(await failureOf(read())).toMatchObject({ reason: 'TooLarge' });
    h.server.fault = () => ({ raw: '<html>' });
    expect(await failureOf(small.request({ path: PATH }))).toMatchObject({ reason: 'NotJson', class: 'retry' });
    await small.close();
  });

  it('closes the connection of a stream that its reader leaves', async () => {
    await using h = await createHarness();
    h.addPod('p');
    for await (const line of h.transport.stream({ path: '/api/v1/pods', query: { watch: true } })) {
      expect(JSON.parse(line)).toMatchObject({ type: 'ADDED' });
      break;
    }
    await eventually('the end', () => h.server.watches.size === 0);
    expect(h.clock.pending()).toEqual([]);
  });

  it('keeps the path of the server and encodes the query', () => {
    const url = formatUrl('https://proxy/k8s/', '/api/v1/pods', { labelSelector: 'a=b&c', limit: 5, none: undefined });
    expect(url.href).toBe('https://proxy/k8s/api/v1/pods?labelSelector=a%3Db%26c&limit=5');
  });
});
