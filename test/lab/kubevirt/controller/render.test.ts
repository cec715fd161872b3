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
type Container = { command?: string[]; terminationMessagePath?: string; env?: { valueFrom?: { fieldRef?: Loose } }[] };

/** Takes away what the API server, its admission, the scheduler, kubelet and Multus add to a pod. */
function strip(recorded: FlowObject | Pod): Loose {
  const pod = structuredClone(recorded) as unknown as Pod & { spec: Loose };
  const { generateName, namespace, labels, annotations, ownerReferences } = pod.metadata;
  const { [NETWORK_STATUS]: _, 'kubevirt.io/migration-target-ready-timestamp': __, ...notes } = annotations ?? {};
  for (const field of ['schedulerName', 'tolerations', 'priority', 'preemptionPolicy', 'dnsPolicy', 'nodeName']) {
    delete pod.spec[field];
  }
  for (const field of ['serviceAccountName', 'serviceAccount']) delete pod.spec[field];
  const containers = [...(pod.spec['containers'] as Container[]), ...(pod.spec['initContainers'] as Container[])];
  for (const container of containers) {
    delete container.terminationMessagePath;
    for (const entry of container.env ?? []) delete entry.valueFrom?.fieldRef?.['apiVersion'];
  }
  for (const container of pod.spec['initContainers'] as Loose[]) delete container['terminationMessagePolicy'];
  for (const volume of pod.spec['volumes'] as { downwardAPI?: Loose & { items: { fieldRef: Loose }[] } }[]) {
    delete volume.downwardAPI?.['defaultMode'];
    for (const item of volume.downwardAPI?.items ?? []) delete item.fieldRef['apiVersion'];
  }
  return { metadata: { generateName, namespace, labels, annotations: notes, ownerReferences }, spec: pod.spec };
}

/** The number that KubeVirt draws for a launcher. */
function timeoutOf(recorded: FlowObject): number {
  const command = (recorded.spec?.['containers'] as Container[])[0]?.command ?? [];
  return Number.parseInt(command[2] ?? '', 10);
}

type Case = { title: string; recorded: FlowObject; vmi: Vmi; migration: Vmim | undefined };

/** Every launcher of the flows at its first record, with the VMI as the same step or the last one before recorded it. */
function collectCases(): Case[] {
  return listFlows().flatMap((flow) => {
    const seen = new Set<string>();
    const last = new Map<string, FlowObject>();
    return loadFlow(flow).flatMap((step) => {
      for (const object of step.objects) last.set(`${object.kind}/${object.metadata?.uid ?? ''}`, object);
      const pods = step.objects.filter((o) => o.kind === 'Pod' && !seen.has(o.metadata?.uid ?? ''));
      return pods.flatMap((recorded): Case[] => {
        seen.add(recorded.metadata?.uid ?? '');
        const vmi = last.get(`VirtualMachineInstance/${recorded.metadata?.labels?.[LABEL.createdBy] ?? ''}`);
        const uid = recorded.metadata?.labels?.[LABEL.migrationUid] ?? '';
        const migration = last.get(`VirtualMachineInstanceMigration/${uid}`) as Vmim | undefined;
        const title = `${flow}: ${recorded.metadata?.name ?? ''} at ${step.step}`;
        return vmi === undefined ? [] : [{ title, recorded, vmi: vmi as unknown as Vmi, migration }];
      });
    });
  });
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

describe('memory of a launcher', () => {
  it.each([
    ['256Mi', 524],
    ['512Mi', 781],
    ['128Mi', 396],
  ])('is guest %s plus overhead: %i MiB', (guest, expected) => {
    expect(deriveMemory(guest)).toBe(expected);
  });
});
