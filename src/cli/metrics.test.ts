import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { createPrometheus, serveHealth } from './metrics.ts';

/** A port that nobody listens on now. */
async function findPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, () => resolve()));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('what is counted and observed is told under the prefix, with labels', async () => {
  const { metrics, registry } = createPrometheus('test');
  metrics.count('reaped');
  metrics.count('reaped');
  metrics.observe('add', 12, { outcome: 'ok' });
  metrics.observe('add', 700, { outcome: 'failed' });
  const text = await registry.metrics();
  expect(text).toContain('test_reaped 2');
  expect(text).toContain('test_add_bucket{le="15",outcome="ok"} 1');
  expect(text).toContain('test_add_sum{outcome="failed"} 700');
});

test('ready only without an obstacle, and the obstacle is told', async () => {
  let obstacle: string | undefined = 'OVS is away';
  const port = await findPort();
  const server = await serveHealth(port, createPrometheus('test').registry, () => obstacle);
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return [response.status, await response.text()];
  };
  expect(await get('/healthz')).toEqual([200, 'ok\n']);
  expect(await get('/readyz')).toEqual([503, 'OVS is away\n']);
  obstacle = undefined;
  expect(await get('/readyz')).toEqual([200, 'ok\n']);
  expect((await get('/metrics'))[0]).toBe(200);
  expect((await get('/etc/passwd'))[0]).toBe(404);
  await server.close();
});

test('a port that is taken is an error', async () => {
  const port = await findPort();
  const { registry } = createPrometheus('test');
  const first = await serveHealth(port, registry, () => undefined);
  await expect(serveHealth(port, registry, () => undefined)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await first.close();
});
