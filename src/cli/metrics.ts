import { createServer } from 'node:http';
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import { findMetricHelp } from '../api/metrics.ts';
import type { Metrics } from '../kube/index.ts';

/** Milliseconds. */
const BUCKETS = [
  1, 2, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000,
];

/** Counters and histograms of `prefix`, made at their first use; label names are those of the first use. */
export function createPrometheus(prefix: string): { readonly metrics: Metrics; readonly registry: Registry } {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = new Map<string, Counter>();
  const histograms = new Map<string, Histogram>();
  const describe = (name: string, labels: Record<string, string>) => ({
    name: `${prefix}_${name}`,
    help: findMetricHelp(name),
    labelNames: Object.keys(labels),
    registers: [registry],
  });
  const metrics: Metrics = {
    count: (name, labels = {}, by = 1) => {
      const counter = counters.get(name) ?? new Counter(describe(name, labels));
      counters.set(name, counter);
      counter.inc(labels, by);
    },
    observe: (name, value, labels = {}) => {
      const histogram = histograms.get(name) ?? new Histogram({ ...describe(name, labels), buckets: BUCKETS });
      histograms.set(name, histogram);
      histogram.observe(labels, value);
    },
  };
  return { metrics, registry };
}

export type HealthServer = { close(): Promise<void> };

/**
 * Serves `/metrics`, `/healthz` (the process lives) and `/readyz` (503 with the reason while `findObstacle` names one).
 * Rejects when the port is taken.
 */
export async function serveHealth(
  port: number,
  registry: Registry,
  findObstacle: () => string | undefined,
): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const reply = (status: number, type: string, body: string) => {
      response.writeHead(status, { 'content-type': type });
      response.end(body);
    };
    const path = request.url?.split('?')[0];
    if (path === '/healthz') return reply(200, 'text/plain', 'ok\n');
    if (path === '/readyz') {
      const obstacle = findObstacle();
      return reply(obstacle === undefined ? 200 : 503, 'text/plain', `${obstacle ?? 'ok'}\n`);
    }
    if (path !== '/metrics') return reply(404, 'text/plain', 'try /metrics, /healthz or /readyz\n');
    registry.metrics().then(
      (text) => reply(200, registry.contentType, text),
      (error: unknown) => reply(500, 'text/plain', `${String(error)}\n`),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => resolve());
  });
  return {
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
