import { parentPort } from 'node:worker_threads';
import { createConntrackWatches } from './conntrack-watch.ts';
import { toErrorRecord } from './errors.ts';
import type { Job } from './jobs.ts';
import { runJob } from './run-job.ts';
import { openRouteSocket } from './socket.ts';
import type { Answer } from './worker.ts';

/**
 * The worker thread: the only thread that ever visits another network namespace. Every job runs synchronously, one after
 * the other, so nothing of Node's own machinery can start inside a visit.
 */
if (parentPort === null) throw new Error('worker-main runs as a worker thread only');
const port = parentPort;
const kept = { host: openRouteSocket(), watches: createConntrackWatches() };

port.on('message', (message: { id: number; job: Job } | 'stop') => {
  if (message === 'stop') {
    kept.host.close();
    port.close();
    return;
  }
  port.postMessage(answer(message.id, message.job));
});
port.postMessage('ready');

function answer(id: number, job: Job): Answer {
  try {
    return { id, ok: true, value: runJob(kept, job) };
  } catch (error) {
    return { id, ok: false, error: toErrorRecord(error) };
  }
}
