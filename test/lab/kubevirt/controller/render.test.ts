import { describe, expect, it } from 'vitest';
import { type FlowObject, listFlows, loadFlow, loadLaunchers } from '../flows.ts';
import type { KubeNode, Pod, Vmi, Vmim } from '../objects.ts';
import { LABEL, NETWORK_STATUS } from '../objects.ts';
import { deriveMemory } from './containers.ts';
import { renderLauncher, renderTarget } from './render.ts';

const IMAGE = 'registry.example/kubevirt/virt-launcher:v1.8.4';
const SOURCE: KubeNode = {
  metadata: {
    name: 'node1',
    labels: {
      'host-model-cpu.node.kubevirt.io/Cascadelake-Server': 'true',
      'cpu-vendor.node.kubevirt.io/Intel': 'true',
    },
  },
};

type Loose = Record<string, unknown>;
type FieldRef = { apiVersion?: string };
type Volume = { downwardAPI?: { defaultMode?: number; items: { fieldRef: FieldRef }[] } };
type Spec = { volumes: Volume[]; containers: Container[]; initContainers: Container[] };
const DEFAULTED = [
  ...['schedulerName', 'tolerations', 'priority', 'preemptionPolicy', 'dnsPolicy', 'nodeName'],
  ...['serviceAccountName', 'serviceAccount'],
];
type Container = {
  command?: string[];
  terminationMessagePath?: string;
  terminationMessagePolicy?: string;
  env?: { valueFrom?: { fieldRef?: FieldRef } }[];
};

/** Takes away what the API server, its admission, the scheduler, kubelet and Multus add to a pod. */
function strip(recorded: FlowObject | Pod): Loose {
  const pod = structuredClone(recorded) as unknown as Pod & { spec: Spec };
  const { generateName, namespace, labels, annotations = {}, ownerReferences } = pod.metadata;
  const { [NETWORK_STATUS]: _, 'kubevirt.io/migration-target-ready-timestamp': __, ...notes } = annotations;
  for (const field of DEFAULTED) delete (pod.spec as Loose)[field];
  for (const container of [...pod.spec.containers, ...pod.spec.initContainers]) stripContainer(container);
  for (const container of pod.spec.initContainers) delete container.terminationMessagePolicy;
  for (const volume of pod.spec.volumes) stripVolume(volume);
  return { metadata: { generateName, namespace, labels, annotations: notes, ownerReferences }, spec: pod.spec };
}

function stripContainer(container: Container): void {
  delete container.terminationMessagePath;
  for (const entry of container.env ?? []) delete entry.valueFrom?.fieldRef?.apiVersion;
}

function stripVolume({ downwardAPI }: Volume): void {
  delete downwardAPI?.defaultMode;
  for (const item of downwardAPI?.items ?? []) delete item.fieldRef.apiVersion;
}

/** The number that KubeVirt draws for a launcher. */
function timeoutOf(recorded: FlowObject): number {
  const { containers } = recorded.spec as Spec;
  return Number.parseInt(containers[0]?.command?.[2] ?? '', 10);
}

type Case = { title: string; recorded: FlowObject; vmi: Vmi; migration: Vmim | undefined };

/** Every launcher of the flows at its first record, with the VMI as the same step or the last one before recorded it. */
function collectCases(): Case[] {
  return listFlows().flatMap((flow) => {
    const last = new Map<string, FlowObject>();
    return loadFlow(flow).flatMap((step) => {
      const before = new Set(last.keys());
      for (const object of step.objects) last.set(`${object.kind}/${object.metadata?.uid}`, object);
      const fresh = step.objects.filter((one) => one.kind === 'Pod' && !before.has(`Pod/${one.metadata?.uid}`));
      return fresh.flatMap((recorded) =>
        findCase(`${flow}: ${recorded.metadata?.name} at ${step.step}`, recorded, last),
      );
    });
  });
}

function findCase(title: string, recorded: FlowObject, last: ReadonlyMap<string, FlowObject>): Case[] {
  const { labels = {} } = recorded.metadata ?? {};
  const vmi = last.get(`VirtualMachineInstance/${labels[LABEL.createdBy]}`) as Vmi | undefined;
  const migration = last.get(`VirtualMachineInstanceMigration/${labels[LABEL.migrationUid]}`) as Vmim | undefined;
  return vmi === undefined ? [] : [{ title, recorded, vmi, migration }];
}

/** A launcher's label with its node is written later, and a target's copy of it depends on when the step was recorded. */
function withoutLater(pod: Loose): Loose {
  const { metadata, spec } = structuredClone(pod) as { metadata: { labels: Loose }; spec: Loose };
  delete metadata.labels[LABEL.node];
  return { metadata, spec };
}

/** The machine type appears in the VMI's status only once the guest runs, after its first pod was rendered. */
function atRendering(vmi: Vmi, target: boolean): Vmi {
  const copy = structuredClone(vmi);
  if (!target && copy.status !== undefined) delete copy.status.machine;
  return copy;
}

describe('launchers equal the recorded ones', () => {
  const cases = collectCases();

  it('finds recorded launchers, targets among them', () => {
    expect(cases.length).toBeGreaterThan(60);
    expect(cases.filter((one) => one.migration !== undefined).length).toBeGreaterThan(15);
  });

  it.each(cases)('$title', ({ recorded, vmi, migration }) => {
    const options = { image: IMAGE, qemuTimeout: timeoutOf(recorded), plugins: {} };
    const source = atRendering(vmi, migration !== undefined);
    const pod =
      migration === undefined ? renderLauncher(source, options) : renderTarget(source, migration, SOURCE, options);
    expect(withoutLater(strip(pod))).toEqual(withoutLater(strip(recorded)));
  });
});

describe('a launcher as root with a binding plugin', () => {
  const [recorded] = loadLaunchers();
  if (recorded === undefined) throw new Error('no recorded launcher');
  const { annotations = {} } = recorded.metadata ?? {};
  const vmi: Vmi = {
    metadata: {
      name: 'vm1',
      namespace: 'vms',
      uid: 'ef6e787b-bb31-4c0f-ab3b-7310e85ef3a4',
      labels: { app: 'web', 'kubevirt.io/vm': 'vm1' },
      annotations: {
        'kubevirt.io/allow-pod-bridge-network-live-migration': '',
        'kubevirt.io/vm-generation': '2',
        'kubevirt.io/latest-observed-api-version': 'v1',
        'ovn.example.com/ip': annotations['ovn.example.com/ip'] ?? '',
      },
    },
    spec: {
      domain: {
        devices: {
          interfaces: [
            { name: 'default', bridge: {} },
            { name: 'biz', bridge: {}, macAddress: '02:00:00:aa:bb:02' },
            { name: 'biz2', bridge: {} },
            { name: 'side', binding: { name: 'ovnbind' }, macAddress: '02:00:00:aa:bb:04' },
          ],
        },
        memory: { guest: '512Mi' },
        machine: { type: 'q35' },
      },
      networks: [
        { name: 'default', pod: {} },
        { name: 'biz', multus: { networkName: 'business' } },
        { name: 'biz2', multus: { networkName: 'vms/business2' } },
        { name: 'side', multus: { networkName: 'business' } },
      ],
    },
    status: { phase: 'Pending' },
  };
  const plugins = {
    ovnbind: { sidecarImage: 'reg/hook:1', networkAttachmentDefinition: 'default/bindnad', downwardAPI: 'device-info' },
  };

  it('equals the recorded one', () => {
    const pod = renderLauncher(vmi, { image: 'reg/virt-launcher:v1.8.4', qemuTimeout: timeoutOf(recorded), plugins });
    expect(strip(pod)).toEqual(strip(recorded));
  });

  it('asks no network of Multus for a NIC that is being taken away', () => {
    const leaving = structuredClone(vmi);
    const [, biz] = leaving.spec.domain.devices.interfaces ?? [];
    if (biz !== undefined) biz.state = 'absent';
    const pod = renderLauncher(leaving, { image: IMAGE, qemuTimeout: 240, plugins });
    expect(pod.metadata.annotations?.['k8s.v1.cni.cncf.io/networks']).not.toContain('pod9bdd85331e7');
  });

  it('names the default network of Multus as it was typed', () => {
    const main = structuredClone(vmi);
    main.spec.networks = [{ name: 'default', multus: { networkName: 'business', default: true } }];
    const pod = renderLauncher(main, { image: IMAGE, qemuTimeout: 240, plugins: {} });
    expect(pod.metadata.annotations?.['v1.multus-cni.io/default-network']).toBe('business');
    expect(pod.metadata.annotations?.['k8s.v1.cni.cncf.io/networks']).toBeUndefined();
  });
});

describe('hook sidecars of an annotation', () => {
  const HOOK = { image: 'reg/own:1', imagePullPolicy: 'Never', command: ['/hook'], args: ['--one'] };
  const render = (list: unknown, runtimeUser?: number) => {
    const annotations = { 'hooks.kubevirt.io/hookSidecars': JSON.stringify(list) };
    const spec = { domain: { devices: { interfaces: [{ name: 'side', binding: { name: 'plug' } }] } } };
    const status = runtimeUser === undefined ? {} : { runtimeUser };
    const options = { image: IMAGE, qemuTimeout: 240, plugins: { plug: { sidecarImage: 'reg/plug:1' } } };
    const pod = renderLauncher({ metadata: { name: 'vm1', annotations }, spec, status }, options);
    return pod.spec as unknown as { containers: (Container & Loose & { name: string })[]; volumes: { name: string }[] };
  };

  it('come before those of binding plugins, each with its own sight of the sockets', () => {
    const { containers, volumes } = render([{ image: '' }, HOOK]);
    expect(containers.map(({ name, image }) => [name, image])).toEqual([
      ['compute', IMAGE],
      ['hook-sidecar-0', 'reg/own:1'],
      ['hook-sidecar-1', 'reg/plug:1'],
    ]);
    expect(containers[1]).toMatchObject({ imagePullPolicy: 'Never', command: ['/hook'], args: ['--one'] });
    expect(containers[1]?.volumeMounts).toEqual([
      { name: 'hook-sidecar-sockets', mountPath: '/var/run/kubevirt-hooks', subPath: 'hook-sidecar-0' },
    ]);
    expect(volumes.map(({ name }) => name)).toContain('hook-sidecar-sockets');
    expect(containers[0]?.command).toContain('--hook-sidecars');
    expect(containers[0]?.command?.at((containers[0].command?.indexOf('--hook-sidecars') ?? -1) + 1)).toBe('2');
  });

  it('run as KubeVirt’s user without capabilities', () => {
    const { containers } = render([HOOK], 107);
    expect(containers[1]?.securityContext).toEqual({
      capabilities: { drop: ['ALL'] },
      ...{ runAsUser: 107, runAsGroup: 107, runAsNonRoot: true, allowPrivilegeEscalation: false },
    });
  });

  it('that are none keep the launcher from being made', () => {
    const annotations = { 'hooks.kubevirt.io/hookSidecars': '[' };
    const vmi = { metadata: { name: 'vm1', annotations }, spec: { domain: { devices: {} } } };
    expect(() => renderLauncher(vmi, { image: IMAGE, qemuTimeout: 240, plugins: {} })).toThrow(SyntaxError);
  });
});

describe('memory of a launcher', () => {
  it.each([
    ['256Mi', 524],
    ['512Mi', 781],
    ['128Mi', 396],
  ])('is guest %s plus overhead: %i MiB', (guest, expected) => {
    expect(deriveMemory(guest)).toBe(expected);
  });
});
