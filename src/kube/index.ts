export { type Ensured, type EnsureOptions, ensureObject, ensureStatus } from './apply.ts';
export { type BackoffLimits, deriveBackoff } from './backoff.ts';
export { type Clock, sleep, systemClock, type Timer } from './clock.ts';
export { type ApiEndpoint, type ConfigOptions, loadEndpoint, type TlsOptions } from './config.ts';
export { retryConflicts } from './conflicts.ts';
export {
  ApiError,
  type ErrorClass,
  findErrorClass,
  isAlreadyExists,
  isConflict,
  isGone,
  isNotFound,
} from './errors.ts';
export type { EventNote } from './event-body.ts';
export { createEventRecorder, type EventRecorder, type EventRecorderOptions } from './events.ts';
export { ensureFinalizer, type FinalizerTarget, removeFinalizer } from './finalizers.ts';
export { createElector, type Elector, type ElectorOptions } from './lease.ts';
export { LEASE, type Lease } from './lease-record.ts';
export { listEverything, type WholeList } from './list.ts';
export { type Watch, watchAlways, watchWhenServed } from './optional-watch.ts';
export { createQueue, type Priority, type Queue, type QueueOptions } from './queue.ts';
export { createReflector, type Reflector, type ReflectorOptions } from './reflector.ts';
export {
  type ApplyOptions,
  type CallOptions,
  createResource,
  type DeleteOptions,
  formatApiVersion,
  formatListPath,
  formatObjectPath,
  type ListPage,
  type Resource,
  type ResourceKind,
  type Selection,
} from './resource.ts';
export { createRunner, type Outcome, type Runner, type RunnerOptions } from './runner.ts';
export { type Change, createStore, type Indexer, keyOf, parseKey, type ReadonlyStore, type Store } from './store.ts';
export { type ApiRequest, createTransport, type Query, type StreamRequest, type Transport } from './transport.ts';
export * from './types.ts';
export { compareVersions } from './versions.ts';
