import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { fromCode, NetlinkError, type NetlinkErrorRecord } from './errors.ts';
import type { Job, ResultOf, Results } from './jobs.ts';

/** What the worker thread answers to a job. */
export type Answer =
  | { id: number; ok: true; value: Results[Job['kind']] }
  | { id: number; ok: false; error: NetlinkErrorRecord };

/** The main thread's handle of the worker thread that does all work in network namespaces. */
export type NetnsWorker = {
  /** Runs a job after those before it. Rejects with NetlinkError; EWORKERGONE (class terminal) when the worker ended. */
  run: <J extends Job>(job: J) => Promise<ResultOf<J>>;
  /** Lets the jobs that were given finish, then ends the thread. */
  stop: () => Promise<void>;
};

type Waiting = { resolve: (value: never) => void; reject: (error: Error) => void };

/**
 * Starts the worker. `entry` is the file of worker-main; a bundle passes the URL of its own copy.
 * The thread pool is warmed up first: its threads stay for ever in the namespace in which they were made.
 */
export function createNetnsWorker(entry: URL = new URL('./worker-main.ts', import.meta.url)): NetnsWorker {
  const waiting = new Map<number, Waiting>();
  const started = warmThreadPool().then(() => startWorker(entry, waiting));
  started.catch(() => undefined);
  let nextId = 1;
  let stopping: Promise<void> | undefined;
  return {
    run: async (job) => {
      if (stopping !== undefined) throw gone('it was stopped');
      const { worker, findFailure } = await started;
      const failure = findFailure();
      if (failure !== undefined) throw gone(failure);
      const id = nextId;
      nextId += 1;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve: resolve as (value: never) => void, reject });
        worker.postMessage({ id, job });
      });
    },
    stop: () => {
      stopping ??= started.then(stopWorker, () => undefined);
      return stopping;
    },
  };
}

/** Any asynchronous file call makes libuv create all threads of its pool at once (deps/uv/src/threadpool.c). */
async function warmThreadPool(): Promise<void> {
  await stat('/');
}

type Started = { worker: Worker; exited: Promise<void>; findFailure: () => string | undefined };

async function startWorker(entry: URL, waiting: Map<number, Waiting>): Promise<Started> {
  const worker = new Worker(entry, { name: 'netns' });
  let failure = 'it ended';
  let ended = false;
  worker.on('error', (error) => {
    failure = error instanceof Error ? error.message : String(error);
  });
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const ready = new Promise<void>((resolve) => {
    worker.on('message', (message: Answer | 'ready') => {
      if (message === 'ready') resolve();
      else settle(message, waiting);
    });
  });
  void exited.then(() => {
    ended = true;
    for (const { reject } of waiting.values()) reject(gone(failure));
    waiting.clear();
  });
  await Promise.race([ready, exited.then(() => Promise.reject(gone(failure)))]);
  return { worker, exited, findFailure: () => (ended ? failure : undefined) };
}

function settle(message: Answer, waiting: Map<number, Waiting>): void {
  const entry = waiting.get(message.id);
  waiting.delete(message.id);
  if (message.ok) entry?.resolve(message.value as never);
  else entry?.reject(new NetlinkError(message.error));
}

async function stopWorker({ worker, exited }: Started): Promise<void> {
  worker.postMessage('stop');
  await exited;
}

function gone(why: string): NetlinkError {
  return fromCode('EWORKERGONE', `the namespace worker is gone: ${why}`, 'terminal');
}
