import {
  type Clock,
  createReflector,
  createResource,
  type KubeObject,
  type Logger,
  type Metrics,
  type Random,
  type ResourceKind,
  sleep,
  type Transport,
} from '../../kube/index.ts';
import type { Admission } from '../admission.ts';
import { type Records, UnknownKind } from '../records.ts';
import { createCaches } from './caches.ts';
import { createKeeper } from './certificates/keeper.ts';
import type { CertificatePolicy } from './certificates/plan.ts';
import { CONFIGURATIONS, type Configuration, SECRET, type Secret } from './certificates/secret.ts';
import { compose, type NamedJudge } from './compose.ts';
import { createListener, type Route } from './listener.ts';
import { createInspector } from './parts/inspector.ts';

/** Who judges what: those of `mutate` may change the object, those of `validate` see what came out of it. */
export type Judges = { readonly mutate: readonly NamedJudge[]; readonly validate: readonly NamedJudge[] };

export type HookOptions = {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Where our Service and Secret are. */
  readonly namespace: string;
  readonly port: number;
  readonly createJudges: (records: Records) => Judges;
  readonly certificates: CertificatePolicy;
  /** From the order to stop until no new connection is taken: as long as it takes others to hear that we are going. */
  readonly lingerMs: number;
  /** Names of the chart's ValidatingAdmissionPolicies: it is told when one of them, or its binding, is away. */
  readonly policies?: readonly string[];
};

export type Hook = {
  /** Serves until the signal, then drains. Rejects when the port is taken. */
  run(signal: AbortSignal): Promise<void>;
  /** Why nobody should be sent to us; undefined when they should. */
  findObstacle(): string | undefined;
};

/** Of the Secret, and of both webhook configurations (charts/mooring/templates/hook.yaml). */
export const CERTIFICATES_NAME = 'mooring-hook-certificates';
export const CONFIGURATION_NAME = 'mooring-hook';
/** The API server waits for 2 s. */
const ANSWER_MS = 1500;
const DRAIN_MS = 10_000;

/** The admission webhook of one replica. */
export function createHook(options: HookOptions): Hook {
  const caches = createCaches(options);
  const listener = createListener({ ...options, routes: createRoutes(options, caches.records), answerMs: ANSWER_MS });
  const secret = keep<Secret>(options, SECRET, { namespace: options.namespace, name: CERTIFICATES_NAME });
  const configurations = CONFIGURATIONS.map((kind) =>
    keep<Configuration>(options, kind, { namespace: undefined, name: CONFIGURATION_NAME }),
  );
  const keeper = createKeeper({
    ...options,
    policy: options.certificates,
    secret,
    configurations,
    onServing: listener.show,
  });
  const kept = [secret, ...configurations];
  const inspector = createInspector({ ...options, policies: options.policies ?? [], objects: kept });
  let phase: 'starting' | 'serving' | 'stopping' = 'starting';
  const serve = async (signal: AbortSignal) => {
    caches.start();
    for (const { watch } of kept) watch.start();
    keeper.start();
    inspector.start();
    const port = await listener.listen(options.port);
    options.log.debug({ port }, 'listens');
    await caches.whenReady(signal);
    phase = 'serving';
    options.log.info({ port }, 'answers');
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  };
  return {
    findObstacle: () => {
      if (phase === 'stopping') return 'the program is ending';
      const unknown = caches.listUnknown();
      if (unknown.length > 0) return `the caches are not complete: no ${unknown.join(', ')}; the log says why`;
      if (phase === 'starting') return 'the caches are not complete yet';
      return keeper.findObstacle();
    },
    run: async (signal) => {
      try {
        await serve(signal).catch((error: unknown) => {
          if (!signal.aborted) throw error;
        });
        phase = 'stopping';
        listener.beginDrain();
        await sleep(options.clock, options.lingerMs);
        await listener.close(DRAIN_MS);
      } finally {
        await keeper.stop();
        await Promise.all([caches.stop(), inspector.stop(), ...kept.map(({ watch }) => watch.stop())]);
      }
    },
  };
}

function createRoutes({ log, metrics, createJudges }: HookOptions, records: Records): ReadonlyMap<string, Route> {
  const { mutate, validate } = createJudges(records);
  const onFailure = (judge: string, err: unknown, { kind, namespace, name, uid }: Admission) => {
    if (err instanceof UnknownKind) {
      metrics.count('admission_unseen', { judge, unknown: err.kind });
      log.warn({ judge, unknown: err.kind, kind, namespace, name, uid }, 'not known yet; the object was let through');
      return;
    }
    metrics.count('admission_judge_failures', { judge });
    log.error({ judge, err, kind, namespace, name, uid }, 'a judge failed; the object was let through');
  };
  return new Map<string, Route>([
    ['/mutate', { judge: compose(mutate, onFailure), mayPatch: true }],
    ['/validate', { judge: compose(validate, onFailure), mayPatch: false }],
  ]);
}

type Place = { readonly namespace: string | undefined; readonly name: string };

/** One object by its name: more we may not read of its kind. */
function keep<T extends KubeObject>(options: HookOptions, kind: ResourceKind, { namespace, name }: Place) {
  const fieldSelector = `metadata.name=${name}`;
  return {
    ...{ kind: kind.kind, name },
    watch: createReflector<T>({ ...options, kind, namespace, fieldSelector }),
    resource: createResource<T>(options.transport, kind),
  };
}
