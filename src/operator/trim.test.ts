import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../kube/index.ts';
import { trimAny, trimChosenPod, trimKubevirt, trimNode, trimPod, trimVm, trimVmi } from './trim.ts';

const managedFields = [{ manager: 'kubectl', fieldsV1: { 'f:spec': {} } }];
const meta = (annotations: Record<string, string> = {}) => ({
  name: 'x',
  namespace: 'a',
  uid: 'u',
  resourceVersion: '7',
  generateName: 'x-',
  managedFields,
  annotations,
});
const trimmed = { name: 'x', namespace: 'a', uid: 'u', resourceVersion: '7' };
const raw = (object: object) => object as unknown as KubeObject;

describe('what the caches keep', () => {
  it('of a pod: where it is, whose it is, and the annotations and labels that we read', () => {
    const asked = {
      'ovn.kubernetes.io/ip_address': '10.0.0.1',
      'net-a.vms.ovn.kubernetes.io/ip_address': '10.1.0.1',
      'k8s.v1.cni.cncf.io/networks': 'net-a',
      'v1.multus-cni.io/default-network': 'other',
      'mooring.dev/nics': '{}',
      'network.kubevirt.io/addresses': '{}',
      'kubevirt.io/ephemeral-provisioning': 'true',
    };
    const others = {
      'kubectl.kubernetes.io/last-applied-configuration': '{"large":true}',
      'k8s.v1.cni.cncf.io/network-status': '[]',
      'prometheus.io/scrape': 'true',
      'mooring.dev.example/nics': '{}',
    };
    const ownerReferences = [{ kind: 'StatefulSet', apiVersion: 'apps/v1', name: 's', uid: 's1' }];
    const labels = { app: 'web', 'kubevirt.io/migrationJobUID': 'm' };
    const pod = trimPod(
      raw({
        metadata: { ...meta({ ...asked, ...others }), labels, ownerReferences },
        spec: { nodeName: 'n', hostNetwork: true, containers: [{ name: 'c' }] },
        status: { phase: 'Running', podIP: '10.0.0.1' },
      }),
    );
    expect(pod).toEqual({
      metadata: {
        ...trimmed,
        annotations: asked,
        labels: { 'kubevirt.io/migrationJobUID': 'm' },
        ownerReferences,
      },
      spec: { nodeName: 'n', hostNetwork: true },
      status: { phase: 'Running' },
    });
  });

  it('of a pod where policies choose pods: also all labels, and the ports that have names, of sidecars too', () => {
    const labels = { app: 'web', 'kubevirt.io/migrationJobUID': 'm' };
    const http = { name: 'http', containerPort: 80, protocol: 'TCP' };
    const dns = { name: 'dns', containerPort: 53 };
    const object = {
      metadata: { ...meta(), labels },
      spec: {
        nodeName: 'n',
        containers: [
          { name: 'c', image: 'i', ports: [{ ...http, hostPort: 80 }, { containerPort: 81 }] },
          { name: 'd' },
        ],
        initContainers: [{ ports: [http] }, { restartPolicy: 'Always', ports: [dns] }],
      },
      status: { phase: 'Running' },
    };
    const { annotations: _, ...kept } = trimPod(raw(object)).metadata;
    expect(trimChosenPod(raw(object))).toEqual({
      metadata: { ...kept, annotations: {}, labels },
      spec: { nodeName: 'n', containers: [{ ports: [http] }, { ports: [dns] }] },
      status: { phase: 'Running' },
    });
    expect(trimChosenPod(raw({ metadata: { name: 'x' } }))).toEqual(trimPod(raw({ metadata: { name: 'x' } })));
  });

  it('of a virt-handler: also what networks it got and whether it is ready, unless that is larger than it can be', () => {
    const key = 'k8s.v1.cni.cncf.io/network-status';
    const handler = (status: string, app = 'virt-handler') =>
      trimPod(
        raw({
          metadata: { ...meta({ [key]: status }), labels: { 'kubevirt.io': app, app: 'x' } },
          status: {
            phase: 'Running',
            conditions: [{ type: 'Ready', status: 'True', reason: 'x' }, { type: 'PodScheduled' }],
          },
        }),
      );
    expect(handler('[]')).toMatchObject({
      metadata: { annotations: { [key]: '[]' }, labels: { 'kubevirt.io': 'virt-handler' } },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    });
    expect(handler(' '.repeat(8193)).metadata).toMatchObject({
      annotations: {},
      labels: { 'kubevirt.io': 'virt-handler' },
    });
    expect(handler('[]', 'virt-launcher')).toEqual({
      metadata: { ...trimmed, annotations: {}, labels: {} },
      spec: {},
      status: { phase: 'Running' },
    });
  });

  it('of a KubeVirt: what it says about migrations and binding plugins, and our mark', () => {
    const migrations = { network: 'n', bandwidthPerMigration: 1, allowPostCopy: true };
    const binding = { managedtap: { domainAttachmentType: 'managedTap', migration: {} } };
    const annotations = { 'mooring.dev/migration-network': '{}', note: 'long' };
    const kubevirt = {
      metadata: meta(annotations),
      spec: {
        configuration: { migrations, network: { binding, defaultNetworkInterface: 'x' }, smbios: {} },
        infra: {},
      },
      status: {},
    };
    expect(trimKubevirt(raw(kubevirt))).toEqual({
      metadata: { ...trimmed, annotations: { 'mooring.dev/migration-network': '{}' } },
      spec: { configuration: { migrations: { network: 'n', bandwidthPerMigration: 1 }, network: { binding } } },
    });
    const plugins = { spec: { configuration: { network: { binding } } } };
    expect(trimKubevirt(raw({ metadata: meta(), ...plugins }))).toMatchObject(plugins);
    expect(trimKubevirt(raw({ metadata: meta() }))).toEqual({ metadata: { ...trimmed, annotations: {} } });
  });

  it('of a VM: the NICs of its template and what is asked for them, without its status', () => {
    const domain = { cpu: { cores: 4 }, devices: { disks: [{}], interfaces: [{ name: 'a' }] } };
    const vm = trimVm(
      raw({
        metadata: { ...meta(), labels: { app: 'db' } },
        spec: {
          runStrategy: 'Always',
          template: {
            metadata: { annotations: { 'mooring.dev/nics': '{}', note: 'long' }, labels: { app: 'db' } },
            spec: { domain, networks: [{ name: 'a', pod: {} }], volumes: [{}] },
          },
        },
        status: { ready: true },
      }),
    );
    expect(vm).toEqual({
      metadata: { ...trimmed, annotations: {}, labels: { app: 'db' } },
      spec: {
        template: {
          metadata: { annotations: { 'mooring.dev/nics': '{}' } },
          spec: { domain: { devices: { interfaces: [{ name: 'a' }] } }, networks: [{ name: 'a', pod: {} }] },
        },
      },
    });
  });

  it('of a VM whose template has more annotations than a VMI may have: how many bytes they are', () => {
    const trim = (length: number) => {
      const annotations = { note: 'x'.repeat(length), 'mooring.dev/nics': '{}' };
      return trimVm(raw({ metadata: meta(), spec: { template: { metadata: { annotations } } } })).spec?.template;
    };
    const kept = { 'mooring.dev/nics': '{}' };
    expect(trim(262_144)).toEqual({ metadata: { annotations: kept, annotationBytes: 262_166 } });
    expect(trim(262_122)).toEqual({ metadata: { annotations: kept } });
  });

  it('of a VM whose template says what only the cache says: nothing of that', () => {
    const annotations = { a: 7, b: null, 'mooring.dev/nics': '{}' };
    const trim = (metadata: object) => trimVm(raw({ metadata: meta(), spec: { template: { metadata } } })).spec;
    const kept = { template: { metadata: { annotations: { 'mooring.dev/nics': '{}' } } } };
    expect(trim({ annotations, annotationBytes: 300_000 })).toEqual(kept);
    expect(trim({ annotations: null, annotationBytes: 300_000 })).toEqual({ template: {} });
  });

  it('of a VMI: its NICs, and of its status what tells where the guest runs', () => {
    const status = { phase: 'Running', nodeName: 'n', activePods: { p: 'n' }, migrationState: { migrationUid: 'm' } };
    const vmi = trimVmi(
      raw({ metadata: meta(), spec: { networks: [] }, status: { ...status, interfaces: [{ name: 'a' }] } }),
    );
    expect(vmi).toEqual({
      metadata: { ...trimmed, annotations: {} },
      spec: { domain: { devices: {} }, networks: [] },
      status,
    });
  });

  it('of a node: whether it is ready', () => {
    const conditions = [
      { type: 'MemoryPressure', status: 'False', lastHeartbeatTime: 'now' },
      { type: 'Ready', status: 'True', lastHeartbeatTime: 'now' },
    ];
    const node = trimNode(raw({ metadata: meta(), spec: { podCIDR: 'x' }, status: { conditions, images: [{}] } }));
    expect(node).toEqual({
      metadata: { ...trimmed, annotations: {} },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    });
  });

  it('of a node: its own IPs, not its names', () => {
    const addresses = [
      { type: 'Hostname', address: 'n1' },
      { type: 'InternalIP', address: '192.168.0.2' },
      { type: 'ExternalIP', address: 'fd00::2' },
    ];
    expect(trimNode(raw({ metadata: meta(), status: { addresses } })).status).toEqual({
      addresses: addresses.slice(1),
    });
    expect(trimNode(raw({ metadata: meta(), status: { addresses: addresses.slice(0, 1) } })).status).toBeUndefined();
  });

  it('of all others: everything but who wrote it', () => {
    const { managedFields: _, ...metadata } = meta();
    expect(trimAny(raw({ kind: 'Subnet', metadata: meta(), spec: { cidrBlock: '10.0.0.0/24' } }))).toEqual({
      kind: 'Subnet',
      metadata,
      spec: { cidrBlock: '10.0.0.0/24' },
    });
  });

  it('takes an annotation called __proto__ for a name like any other', () => {
    const annotations = JSON.parse('{"__proto__": "x", "mooring.dev/adopt": "true"}');
    const pod = trimPod(raw({ metadata: meta(annotations) }));
    expect(Object.getPrototypeOf(pod.metadata.annotations)).toBe(Object.prototype);
    expect(pod.metadata.annotations).toEqual({ 'mooring.dev/adopt': 'true' });
  });
});
