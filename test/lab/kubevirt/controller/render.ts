import { formatHostname, formatVmiId } from '../names.ts';
import { type BindingPlugin, type KubeNode, LABEL, type Pod, UNPAUSED, type Vmi, type Vmim } from '../objects.ts';
import { deriveAnnotations } from './annotations.ts';
import { renderCompute, renderConsoleLog, renderSidecar, renderVolumes } from './containers.ts';
import { listSidecars } from './sidecars.ts';

/** What a launcher depends on besides its VMI. */
export type RenderOptions = {
  image: string;
  qemuTimeout: number;
  plugins: Readonly<Record<string, BindingPlugin>>;
};

const NON_ROOT_USER = 107;
const GRACE_MARGIN = 30;

/**
 * The launcher pod of a VMI as KubeVirt v1.8.4 renders it (pkg/virt-controller/services/template.go,
 * renderLaunchManifest), without disks and host devices, which guests of the lab have not.
 */
export function renderLauncher(vmi: Vmi, options: RenderOptions): Pod {
  const name = vmi.metadata.name ?? '';
  const nonRoot = vmi.status?.runtimeUser === NON_ROOT_USER;
  const used = findPlugins(vmi, options.plugins);
  const sidecars = listSidecars(vmi, used);
  const deviceInfo = used.some((plugin) => plugin.downwardAPI === 'device-info');
  const container = { image: options.image, qemuTimeout: options.qemuTimeout, nonRoot, sidecars };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `virt-launcher-${name}-`,
      ...(vmi.metadata.namespace === undefined ? {} : { namespace: vmi.metadata.namespace }),
      labels: deriveLabels(vmi),
      annotations: deriveAnnotations(vmi, options.plugins),
      ownerReferences: [ownerOf(vmi)],
    },
    spec: {
      volumes: renderVolumes(sidecars, deviceInfo),
      initContainers: [renderConsoleLog(vmi, options.image)],
      containers: [
        renderCompute(vmi, container, deviceInfo),
        ...sidecars.map((sidecar, index) => renderSidecar(sidecar, index, nonRoot)),
      ],
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: (vmi.spec.terminationGracePeriodSeconds ?? 30) + GRACE_MARGIN,
      nodeSelector: deriveNodeSelector(vmi),
      automountServiceAccountToken: false,
      securityContext: renderSecurity(nonRoot),
      hostname: formatHostname(name, vmi.spec.hostname),
      ...(usesHostModel(vmi) ? { affinity: HOST_MODEL_AFFINITY } : {}),
      readinessGates: [{ conditionType: UNPAUSED }],
      enableServiceLinks: false,
    },
  };
}

/**
 * The launcher that a migration starts (pkg/virt-controller/watch/migration, createTargetPod): apart from the others
 * of its VMI, on a node with the source's CPU and machine type. `source` is the node that the VMI runs on.
 */
export function renderTarget(vmi: Vmi, migration: Vmim, source: KubeNode, options: RenderOptions): Pod {
  const pod = renderLauncher(vmi, options);
  const apart = {
    labelSelector: { matchLabels: { [LABEL.createdBy]: vmi.metadata.uid } },
    topologyKey: 'kubernetes.io/hostname',
  };
  const podAntiAffinity = { requiredDuringSchedulingIgnoredDuringExecution: [apart] };
  pod.metadata.labels = { ...pod.metadata.labels, [LABEL.migrationUid]: migration.metadata.uid ?? '' };
  pod.metadata.annotations = {
    ...pod.metadata.annotations,
    'kubevirt.io/migrationJobName': migration.metadata.name ?? '',
  };
  pod.spec.affinity = { ...(pod.spec.affinity as object | undefined), podAntiAffinity };
  pod.spec.nodeSelector = {
    ...migration.spec.addedNodeSelector,
    ...deriveNodeSelector(vmi),
    ...(usesHostModel(vmi) ? deriveCpuSelector(source) : {}),
  };
  return pod;
}

function deriveLabels(vmi: Vmi): Record<string, string> {
  const name = vmi.metadata.name ?? '';
  return {
    ...vmi.metadata.labels,
    [LABEL.app]: 'virt-launcher',
    [LABEL.createdBy]: vmi.metadata.uid ?? '',
    'vm.kubevirt.io/name': formatHostname(name, vmi.spec.hostname),
    'vmi.kubevirt.io/id': formatVmiId(name),
  };
}

function ownerOf(vmi: Vmi) {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    name: vmi.metadata.name ?? '',
    uid: vmi.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

function findPlugins(vmi: Vmi, plugins: Readonly<Record<string, BindingPlugin>>): BindingPlugin[] {
  const names = (vmi.spec.domain.devices.interfaces ?? []).flatMap((nic) => nic.binding?.name ?? []);
  return [...new Set(names)].flatMap((name) => plugins[name] ?? []);
}

/** The machine type of a running guest is the one it got at its start, which on another node may have another alias. */
function deriveNodeSelector(vmi: Vmi): Record<string, string> {
  const machine = vmi.status?.machine?.type ?? vmi.spec.domain.machine?.type ?? 'q35';
  return {
    ...vmi.spec.nodeSelector,
    'kubernetes.io/arch': vmi.spec.architecture ?? 'amd64',
    'kubevirt.io/schedulable': 'true',
    [`machine-type.node.kubevirt.io/${machine}`]: 'true',
  };
}

function deriveCpuSelector(source: KubeNode): Record<string, string> {
  const labels = Object.keys(source.metadata.labels ?? {});
  const models = labels.filter((key) => key.startsWith('host-model-cpu.node.kubevirt.io/'));
  const vendors = labels.filter((key) => key.startsWith('cpu-vendor.node.kubevirt.io/'));
  const wanted = models.map((key) => key.replace('host-model-cpu.', 'cpu-model-migration.')).concat(vendors);
  return Object.fromEntries(wanted.map((key) => [key, 'true']));
}

function usesHostModel(vmi: Vmi): boolean {
  const model = vmi.spec.domain.cpu?.model ?? '';
  return model === '' || model === 'host-model';
}

function renderSecurity(nonRoot: boolean): object {
  if (!nonRoot) return { runAsUser: 0, fsGroup: NON_ROOT_USER };
  return { runAsUser: NON_ROOT_USER, runAsGroup: NON_ROOT_USER, runAsNonRoot: true, fsGroup: NON_ROOT_USER };
}

const HOST_MODEL_AFFINITY = {
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [
        { matchExpressions: [{ key: 'node-labeller.kubevirt.io/obsolete-host-model', operator: 'DoesNotExist' }] },
      ],
    },
  },
};
