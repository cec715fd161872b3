import { createHash } from 'node:crypto';
import type { Vm, Vmi, VmiSpec, VmiStatus } from '../objects.ts';

export const VM_FINALIZER = 'kubevirt.io/virtualMachineControllerFinalize';
export const VMI_FINALIZER = 'kubevirt.io/foregroundDeleteVirtualMachine';
const GENERATION = 'kubevirt.io/vm-generation';
const USER = 107;

/** What virt-api's mutating webhook fills into a VMI's spec (pkg/virt-api/webhooks/mutating-webhook), for amd64. */
export function withDefaults(spec: VmiSpec, seed: string): VmiSpec {
  const { domain } = spec;
  return {
    ...spec,
    architecture: spec.architecture ?? 'amd64',
    evictionStrategy: spec.evictionStrategy ?? 'LiveMigrate',
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
    ...defaultNetwork(spec),
    domain: {
      ...domain,
      cpu: { cores: 1, model: 'host-model', ...domain.cpu },
      devices: { ...domain.devices, ...defaultInterface(spec) },
      features: { acpi: { enabled: true }, ...domain.features },
      firmware: { uuid: formatUuid(seed), ...domain.firmware },
      machine: domain.machine ?? { type: 'q35' },
      ...defaultMemory(spec),
      resources: domain.resources ?? {},
    },
  };
}

function defaultMemory({ domain }: VmiSpec): Partial<VmiSpec['domain']> {
  const guest = domain.memory?.guest ?? domain.resources?.requests?.memory;
  return guest === undefined ? {} : { memory: { ...domain.memory, guest } };
}

/** Without networks and interfaces a VMI gets one NIC on the pod network, bound by bridge. */
function wantsDefault({ networks, domain }: VmiSpec): boolean {
  const none = (networks ?? []).length === 0 && (domain.devices.interfaces ?? []).length === 0;
  return none && domain.devices.autoattachPodInterface !== false;
}

function defaultNetwork(spec: VmiSpec): Partial<VmiSpec> {
  return wantsDefault(spec) ? { networks: [{ name: 'default', pod: {} }] } : {};
}

function defaultInterface(spec: VmiSpec): Partial<VmiSpec['domain']['devices']> {
  return wantsDefault(spec) ? { interfaces: [{ name: 'default', bridge: {} }] } : {};
}

function formatUuid(seed: string): string {
  const hex = createHash('sha1').update(seed).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `5${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}

/** Status of a VMI that was just made. */
export function initialStatus(spec: VmiSpec, now: string): VmiStatus {
  const guest = spec.domain.memory?.guest;
  return {
    phase: 'Pending',
    phaseTransitionTimestamps: [{ phase: 'Pending', phaseTransitionTimestamp: now }],
    currentCPUTopology: { cores: spec.domain.cpu?.cores ?? 1 },
    guestOSInfo: {},
    ...(guest === undefined ? {} : { memory: { guestAtBoot: guest, guestCurrent: guest, guestRequested: guest } }),
    runtimeUser: USER,
  };
}

/** The VMI that a VM starts (pkg/virt-controller/watch/vm, setupVMIFromVM), with what admission adds. */
export function deriveVmi(vm: Vm, now: string): Vmi {
  const { name = '', namespace = '', uid = '', generation = 1 } = vm.metadata;
  const { template } = vm.spec;
  const spec = withDefaults(template.spec, `${namespace}/${name}`);
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    metadata: {
      name,
      namespace,
      ...(template.metadata?.labels === undefined ? {} : { labels: { ...template.metadata.labels } }),
      annotations: {
        'kubevirt.io/pci-topology-version': 'v3',
        ...template.metadata?.annotations,
        [GENERATION]: String(generation),
      },
      finalizers: [VM_FINALIZER, VMI_FINALIZER],
      ownerReferences: [vmOwner(vm)],
    },
    spec,
    status: { ...initialStatus(spec, now), virtualMachineRevisionName: `revision-start-vm-${uid}-${generation}` },
  };
}

export function vmOwner(vm: Vm) {
  const { name = '', uid = '' } = vm.metadata;
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** The generation of the VM that its VMI carries. */
export function generationOf(vmi: Vmi): string | undefined {
  return vmi.metadata.annotations?.[GENERATION];
}

export function withGeneration(vmi: Vmi, generation: number): Vmi {
  const annotations = { ...vmi.metadata.annotations, [GENERATION]: String(generation) };
  return { ...vmi, metadata: { ...vmi.metadata, annotations } };
}
