import type { Vmi } from '../objects.ts';
import { parseMebibytes } from '../quantity.ts';
import type { Sidecar } from './sidecars.ts';

/** What the launcher's containers depend on besides the VMI. */
export type ContainerOptions = {
  image: string;
  /** Seconds of `--qemu-timeout`: KubeVirt takes 240 and up to 120 at random. */
  qemuTimeout: number;
  nonRoot: boolean;
  sidecars: readonly Sidecar[];
};

const DEVICES = ['kvm', 'tun', 'vhost-net'].map((name) => [`devices.kubevirt.io/${name}`, '1'] as const);
/** MiB that KubeVirt adds for launcher (100), monitor (25), virtlogd (25), virtqemud (40), QEMU (30), vCPU (8), I/O (8), video (32). */
const OVERHEAD_MIB = 268;
const GRACE_MARGIN = 15;

/** Memory request of the launcher in MiB: guest, fixed overhead and page tables (a 512th of the guest). */
export function deriveMemory(guest: string): number {
  const mebibytes = parseMebibytes(guest);
  return Math.round(mebibytes + OVERHEAD_MIB + (mebibytes * 0.9994) / 512);
}

export function renderVolumes(sidecars: readonly Sidecar[], deviceInfo: boolean): object[] {
  const folders = ['private', 'public', 'sockets', 'virt-bin-share-dir', 'libvirt-runtime', 'ephemeral-disks'];
  const hooks = sidecars.length > 0 ? ['hook-sidecar-sockets'] : [];
  const empty = [...folders, 'container-disks', ...hooks, 'hotplug-disks'].map((name) => ({ name, emptyDir: {} }));
  const fieldRef = { fieldPath: "metadata.annotations['kubevirt.io/network-info']" };
  const info = { name: 'network-info-annotation', downwardAPI: { items: [{ path: 'network-info', fieldRef }] } };
  return deviceInfo ? [...empty, info] : empty;
}

/** Container 0, in which virt-launcher runs the guest. */
export function renderCompute(vmi: Vmi, options: ContainerOptions, deviceInfo: boolean): object {
  return {
    name: 'compute',
    image: options.image,
    command: renderCommand(vmi, options),
    env: renderEnvironment(options.nonRoot),
    resources: {
      limits: Object.fromEntries(DEVICES),
      requests: {
        cpu: '100m',
        'ephemeral-storage': '50M',
        memory: `${deriveMemory(vmi.spec.domain.memory?.guest ?? '0Mi')}Mi`,
        ...Object.fromEntries(DEVICES),
      },
    },
    volumeMounts: renderMounts(options.sidecars.length > 0, deviceInfo),
    terminationMessagePolicy: 'FallbackToLogsOnError',
    imagePullPolicy: 'IfNotPresent',
    securityContext: options.nonRoot
      ? {
          capabilities: { add: ['NET_BIND_SERVICE'], drop: ['ALL'] },
          ...{ runAsUser: 107, runAsGroup: 107, runAsNonRoot: true, allowPrivilegeEscalation: false },
        }
      : { capabilities: { add: ['NET_BIND_SERVICE', 'SYS_NICE'] }, runAsUser: 0, runAsNonRoot: false },
  };
}

function renderCommand(vmi: Vmi, options: ContainerOptions): string[] {
  const grace = (vmi.spec.terminationGracePeriodSeconds ?? 30) + GRACE_MARGIN;
  return [
    ...['/usr/bin/virt-launcher-monitor', '--qemu-timeout', `${options.qemuTimeout}s`],
    ...[
      '--name',
      vmi.metadata.name ?? '',
      '--uid',
      vmi.metadata.uid ?? '',
      '--namespace',
      vmi.metadata.namespace ?? '',
    ],
    ...['--kubevirt-share-dir', '/var/run/kubevirt', '--ephemeral-disk-dir', '/var/run/kubevirt-ephemeral-disks'],
    ...['--container-disk-dir', '/var/run/kubevirt/container-disks', '--grace-period-seconds', String(grace)],
    ...['--hook-sidecars', String(options.sidecars.length), '--ovmf-path', '/usr/share/OVMF'],
    ...['--disk-memory-limit', '2097152000', '--hypervisor', 'kvm'],
    ...(options.nonRoot ? ['--run-as-nonroot'] : []),
  ];
}

function renderEnvironment(nonRoot: boolean): object[] {
  const folders = [
    { name: 'XDG_CACHE_HOME', value: '/var/run/kubevirt-private' },
    { name: 'XDG_CONFIG_HOME', value: '/var/run/kubevirt-private' },
    { name: 'XDG_RUNTIME_DIR', value: '/var/run' },
  ];
  return [...(nonRoot ? folders : []), { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }];
}

function renderMounts(hooks: boolean, deviceInfo: boolean): object[] {
  const shared = { mountPropagation: 'HostToContainer' };
  return [
    { name: 'private', mountPath: '/var/run/kubevirt-private' },
    { name: 'public', mountPath: '/var/run/kubevirt' },
    { name: 'ephemeral-disks', mountPath: '/var/run/kubevirt-ephemeral-disks' },
    { name: 'libvirt-runtime', mountPath: '/var/run/libvirt' },
    { name: 'sockets', mountPath: '/var/run/kubevirt/sockets' },
    { name: 'container-disks', mountPath: '/var/run/kubevirt/container-disks', ...shared },
    ...(hooks ? [{ name: 'hook-sidecar-sockets', mountPath: '/var/run/kubevirt-hooks' }] : []),
    { name: 'hotplug-disks', mountPath: '/var/run/kubevirt/hotplug-disks', ...shared },
    ...(deviceInfo ? [{ name: 'network-info-annotation', mountPath: '/etc/podinfo' }] : []),
  ];
}

export function renderSidecar(sidecar: Sidecar, index: number, nonRoot: boolean): object {
  const { image, imagePullPolicy = 'IfNotPresent', command, args, deviceInfo } = sidecar;
  const name = `hook-sidecar-${index}`;
  const info = { name: 'network-info-annotation', mountPath: '/etc/podinfo' };
  return {
    name,
    image,
    ...(command && { command }),
    ...(args && { args }),
    env: [{ name: 'CONTAINER_NAME', value: name }],
    resources: {},
    volumeMounts: [
      { name: 'hook-sidecar-sockets', mountPath: '/var/run/kubevirt-hooks', subPath: name },
      ...(deviceInfo ? [info] : []),
    ],
    terminationMessagePolicy: 'FallbackToLogsOnError',
    imagePullPolicy,
    securityContext: nonRoot
      ? {
          capabilities: { drop: ['ALL'] },
          ...{ runAsUser: 107, runAsGroup: 107, runAsNonRoot: true, allowPrivilegeEscalation: false },
        }
      : { runAsUser: 0, runAsNonRoot: false },
  };
}

/** The sidecar that prints the guest's serial console. */
export function renderConsoleLog(vmi: Vmi, image: string): object {
  return {
    name: 'guest-console-log',
    image,
    command: ['/usr/bin/virt-tail'],
    args: ['--logfile', `/var/run/kubevirt-private/${vmi.metadata.uid ?? ''}/virt-serial0-log`],
    env: [{ name: 'VIRT_LAUNCHER_LOG_VERBOSITY', value: '2' }],
    resources: { limits: { cpu: '15m', memory: '60M' }, requests: { cpu: '5m', memory: '35M' } },
    restartPolicy: 'Always',
    volumeMounts: [{ name: 'private', readOnly: true, mountPath: '/var/run/kubevirt-private' }],
    imagePullPolicy: 'IfNotPresent',
    securityContext: {
      capabilities: { drop: ['ALL'] },
      ...{ runAsUser: 107, runAsNonRoot: true, allowPrivilegeEscalation: false },
    },
  };
}
