import {
  type Clock,
  type KubeObject,
  type Logger,
  type Metrics,
  type Random,
  type Reflector,
  type ResourceKind,
  type Timer,
  type Transport,
  type Watch,
  watchWhenServed,
} from '../../../kube/index.ts';
import { type Gap, listGaps, type Part, type PolicyBinding } from './plan.ts';

const REGISTRATION = { group: 'admissionregistration.k8s.io', version: 'v1', namespaced: false };
const POLICY: ResourceKind = {
  ...REGISTRATION,
  plural: 'validatingadmissionpolicies',
  kind: 'ValidatingAdmissionPolicy',
};
const BINDING: ResourceKind = {
  ...REGISTRATION,
  plural: 'validatingadmissionpolicybindings',
  kind: 'ValidatingAdmissionPolicyBinding',
};

export type InspectorOptions = {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Names of the policies that the chart has made, each with a binding of its name. */
  readonly policies: readonly string[];
  /** Single objects of the chart that somebody follows anyway. */
  readonly objects: readonly (Part & { readonly watch: Pick<Reflector<KubeObject>, 'store' | 'hasSynced'> })[];
};

/** Tells of parts of the installation that went missing. To put them back is the installer's: we have no right to. */
export type Inspector = {
  start(): void;
  stop(): Promise<void>;
};

const LOOK_MS = 10_000;

/** Looks now and then, and tells each gap once when it opens (log and metric) and once when it is closed. */
export function createInspector(options: InspectorOptions): Inspector {
  const { transport, clock, random, log, metrics } = options;
  const follow = <T extends KubeObject>(kind: ResourceKind, decode: (raw: KubeObject) => T): Watch<T> =>
    watchWhenServed<T>({ transport, clock, random, log, metrics, kind, decode }, 'goesOn');
  const policies = follow(POLICY, trimPolicy);
  const bindings = follow(BINDING, trimBinding);
  const told = new Map<string, Gap>();
  let timer: Timer | undefined;
  const look = () => {
    const objects = options.objects.map(({ kind, name, watch }) => ({
      ...{ kind, name },
      isThere: watch.hasSynced() ? watch.store.list().length > 0 : undefined,
    }));
    tell(
      options,
      told,
      listGaps(options.policies, { policies: readAll(policies), bindings: readAll(bindings), objects }),
    );
    timer = clock.schedule(LOOK_MS, look);
  };
  return {
    start: () => {
      policies.start();
      bindings.start();
      timer = clock.schedule(LOOK_MS, look);
    },
    stop: async () => {
      timer?.cancel();
      await Promise.all([policies.stop(), bindings.stop()]);
    },
  };
}

/** An API server that has no such kind carries out none of them. */
function readAll<T>(watch: Watch<T>): readonly T[] | undefined {
  return !watch.isDenied() && (watch.isKnown() || watch.isAbsent()) ? watch.store.list() : undefined;
}

type Ears = Pick<InspectorOptions, 'log' | 'metrics'>;

function tell({ log, metrics }: Ears, told: Map<string, Gap>, gaps: readonly Gap[]): void {
  const open = new Map(gaps.map((gap) => [`${gap.kind}/${gap.name}: ${gap.what}`, gap]));
  for (const [key, gap] of open) {
    if (told.has(key)) continue;
    told.set(key, gap);
    metrics.count('admission_gaps', { kind: gap.kind, name: gap.name });
    log.error(gap, 'a part of the installation is not as the chart made it; a helm upgrade puts it back');
  }
  for (const [key, { kind, name }] of told) {
    if (open.has(key)) continue;
    told.delete(key);
    log.info({ kind, name }, 'the part of the installation is there again');
  }
}

/** Policies are long, and their names are all that is asked for. */
const trimPolicy = ({ metadata }: KubeObject): KubeObject => ({
  metadata: { name: metadata?.name, uid: metadata?.uid, resourceVersion: metadata?.resourceVersion },
});

function trimBinding(raw: PolicyBinding): PolicyBinding {
  const { policyName = '', validationActions = [] } = raw.spec ?? {};
  return { ...trimPolicy(raw), spec: { policyName, validationActions } };
}
