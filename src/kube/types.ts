/** What one field manager's record in `metadata.ownerReferences` says. */
export type OwnerReference = {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean | undefined;
  blockOwnerDeletion?: boolean | undefined;
};

/** The parts of `metadata` that this folder reads; all optional, so that generated types fit as they are. */
export type ObjectMeta = {
  name?: string | undefined;
  namespace?: string | undefined;
  uid?: string | undefined;
  resourceVersion?: string | undefined;
  generation?: number | undefined;
  creationTimestamp?: string | undefined;
  deletionTimestamp?: string | undefined;
  labels?: Record<string, string> | undefined;
  annotations?: Record<string, string> | undefined;
  finalizers?: string[] | undefined;
  ownerReferences?: OwnerReference[] | undefined;
};

/** The least that every Kubernetes object has; the constraint of all generics here. */
export type KubeObject = {
  apiVersion?: string | undefined;
  kind?: string | undefined;
  metadata?: ObjectMeta | undefined;
};

/** Where an object is: a name, and a namespace when its kind has one. */
export type ObjectRef = { name: string; namespace?: string | undefined };

/** Structured log, the shape of pino's. */
export type Logger = {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

/** A number in [0, 1), as `Math.random` gives. */
export type Random = () => number;

/** Receiver of counters and durations; the caller maps them to its metrics library. A count is of one unless it says more. */
export type Metrics = {
  count(name: string, labels?: Record<string, string>, by?: number): void;
  observe(name: string, value: number, labels?: Record<string, string>): void;
};

/** Metrics that go nowhere. */
export const noMetrics: Metrics = { count: () => {}, observe: () => {} };

/** A log that goes nowhere. */
export const noLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
