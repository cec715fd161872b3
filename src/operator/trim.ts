import { KUBEVIRT, NETWORK_STATUS } from '../api/annotations.ts';
import type {
  KubeVirt,
  Namespace,
  Node,
  Pod,
  VirtualMachine,
  VirtualMachineInstance,
  VmiSpec,
} from '../api/objects.ts';
import type { ObjectMeta } from '../api/types.gen.ts';
import type { KubeObject } from '../kube/index.ts';
import { isHandler } from '../plan/migration-network/handlers.ts';
import { countAnnotations, MAX_ANNOTATIONS } from '../plan/requests/annotation-limit.ts';

/**
 * Objects as the caches keep them. There are tens of thousands, and most of what is in them is of no use here: memory
 * follows what is kept, so what comes to be read is to be added here first.
 */
type Raw = KubeObject;

/** Everybody's: who wrote which field is a third of an object. */
export function trimAny<T extends KubeObject>(raw: Raw): T {
  const { metadata, ...rest } = raw as KubeObject & { metadata?: object };
  const { managedFields: _, ...kept } = (metadata ?? {}) as { managedFields?: unknown };
  return { ...rest, metadata: kept } as unknown as T;
}

export function trimPod(raw: Raw): Pod {
  const { apiVersion, kind, metadata, spec, status } = raw as Pod;
  return compact({
    apiVersion,
    kind,
    metadata: { ...trimMeta(metadata, isReadLabel), ...keepHandler(metadata) },
    spec: compact({ nodeName: spec?.nodeName, hostNetwork: spec?.hostNetwork }),
    status: compact({ phase: status?.phase, conditions: isHandler({ metadata }) ? keepReady(status) : undefined }),
  });
}

/** Also what NetworkPolicies choose pods by: all labels, and the ports of containers that have names. */
export function trimChosenPod(raw: Raw): Pod {
  const pod = trimPod(raw);
  const { metadata, spec } = raw as RawPod;
  const containers = listNamed(spec);
  return {
    ...pod,
    metadata: { ...pod.metadata, ...(metadata.labels && { labels: { ...metadata.labels } }) },
    spec: { ...pod.spec, ...(containers.length === 0 ? {} : { containers }) },
  };
}

type Container = NonNullable<NonNullable<Pod['spec']>['containers']>[number] & { restartPolicy?: string };
type RawPod = Pod & { spec?: { containers?: Container[]; initContainers?: Container[] } };

/** Sidecars are containers that run for as long as the others; what else comes first has ended by then. */
function listNamed(spec: RawPod['spec']): Container[] {
  const sidecars = spec?.initContainers?.filter(({ restartPolicy }) => restartPolicy === 'Always') ?? [];
  return [...(spec?.containers ?? []), ...sidecars].flatMap((container) => {
    const named = container.ports?.filter(({ name }) => name !== undefined && name !== '') ?? [];
    if (named.length === 0) return [];
    return [{ ports: named.map(({ name, containerPort, protocol }) => compact({ name, containerPort, protocol })) }];
  });
}

function keepReady(status: Pod['status'] | Node['status']): { type: string; status: string }[] | undefined {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return ready && [{ type: ready.type, status: ready.status }];
}

/** More than a virt-handler with some networks has; what claims to be one may be anybody's pod. */
const MOST_STATUS = 8192;

/** Of a virt-handler also what it is, and what networks it got. */
function keepHandler(metadata: ObjectMeta): Partial<ObjectMeta> {
  if (!isHandler({ metadata })) return {};
  const { labels = {}, annotations = {} } = metadata;
  const status = annotations[NETWORK_STATUS];
  const isKept = status !== undefined && status.length <= MOST_STATUS;
  return {
    labels: pick(labels, (key) => isReadLabel(key) || key === KUBEVIRT.app),
    annotations: pick(annotations, (key) => isReadAnnotation(key) || (isKept && key === NETWORK_STATUS)),
  };
}

/** What it says about migrations and binding plugins. */
export function trimKubevirt(raw: Raw): KubeVirt {
  const { apiVersion, kind, metadata, spec } = raw as KubeVirt;
  const { migrations, network: networks } = spec?.configuration ?? {};
  const { network, bandwidthPerMigration } = migrations ?? {};
  const binding = networks?.binding;
  const configuration = compact({
    migrations: migrations && compact({ network, bandwidthPerMigration }),
    network: binding && { binding },
  });
  return compact({
    apiVersion,
    kind,
    metadata: trimMeta(metadata),
    spec: Object.keys(configuration).length === 0 ? undefined : { configuration },
  });
}

/** Kubelets write conditions and lists of images all the time: only readiness and addresses matter here. */
export function trimNode(raw: Raw): Node {
  const { status } = raw as Node;
  const conditions = keepReady(status);
  const addresses = status?.addresses?.flatMap(({ type, address }) => (IPS.includes(type) ? { type, address } : []));
  const kept = compact({
    conditions,
    addresses: addresses?.length === 0 ? undefined : addresses,
  });
  return { ...trimNamespace(raw), ...(Object.keys(kept).length === 0 ? {} : { status: kept }) };
}

const IPS = ['InternalIP', 'ExternalIP'];

export function trimNamespace(raw: Raw): Namespace {
  const { apiVersion, kind, metadata } = raw as Namespace;
  return compact({ apiVersion, kind, metadata: trimMeta(metadata) });
}

export function trimVm(raw: Raw): VirtualMachine {
  const { apiVersion, kind, metadata, spec } = raw as VirtualMachine;
  const template = spec?.template;
  const annotations = template?.metadata?.annotations;
  return compact({
    apiVersion,
    kind,
    metadata: trimMeta(metadata),
    spec: compact({
      template: template && {
        ...(annotations && { metadata: trimTemplate(annotations) }),
        ...(template.spec === undefined ? {} : { spec: trimGuest(template.spec) }),
      },
    }),
  });
}

/** No VMI can be made with more annotations than an object may have, of those that nobody reads, too. */
function trimTemplate(annotations: Readonly<Record<string, string>>) {
  const annotationBytes = countAnnotations(annotations);
  const kept = { annotations: pick(annotations, isReadAnnotation) };
  return annotationBytes > MAX_ANNOTATIONS ? { ...kept, annotationBytes } : kept;
}

export function trimVmi(raw: Raw): VirtualMachineInstance {
  const { apiVersion, kind, metadata, spec, status } = raw as VirtualMachineInstance;
  const { phase, nodeName, activePods, migrationState } = status ?? {};
  return compact({
    apiVersion,
    kind,
    metadata: trimMeta(metadata),
    spec: spec && trimGuest(spec),
    status: compact({ phase, nodeName, activePods, migrationState }),
  });
}

/** The NICs and their networks. */
function trimGuest({ domain, networks }: VmiSpec): VmiSpec {
  const { interfaces, autoattachPodInterface } = domain?.devices ?? {};
  return compact({ domain: { devices: compact({ interfaces, autoattachPodInterface }) }, networks });
}

type Test = (key: string) => boolean;

function trimMeta(metadata: ObjectMeta, keepsLabel: Test = () => true): ObjectMeta {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp } = metadata;
  const { labels, annotations, finalizers, ownerReferences } = metadata;
  return compact({
    name,
    namespace,
    uid,
    resourceVersion,
    generation,
    creationTimestamp,
    deletionTimestamp,
    labels: labels && pick(labels, keepsLabel),
    annotations: annotations && pick(annotations, isReadAnnotation),
    finalizers,
    ownerReferences,
  });
}

/** A copy with the keys that pass; `__proto__` is a key like any other. */
function pick(values: Readonly<Record<string, string>>, keeps: Test): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => keeps(key)));
}

/** Domains whose annotations we read; that of a request begins with the name of a NAD. */
const READ_DOMAIN = /(^|\.)(kubernetes\.io|mooring\.dev|kubevirt\.io|cncf\.io|multus-cni\.io)\//;
/** Large, and written by others for others. */
const UNREAD: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'k8s.v1.cni.cncf.io/network-status',
  'k8s.v1.cni.cncf.io/networks-status',
]);

const isReadAnnotation: Test = (key) => READ_DOMAIN.test(key) && !UNREAD.has(key);
const isReadLabel: Test = (key) => key.startsWith('kubevirt.io/') || key.startsWith('mooring.dev/');

/** Drops undefined members, which `exactOptionalPropertyTypes` does not allow. */
function compact<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}
