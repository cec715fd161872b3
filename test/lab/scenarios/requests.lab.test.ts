import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyThings, type Context, expectSoon, getThing, listThings } from '../demo/context.ts';
import { formatVm } from '../demo/manifests.ts';
import { kubectl } from '../kubectl.ts';
import {
  closeNamespace,
  expectCondition,
  expectEvent,
  expectRunning,
  formatSleeper,
  openNamespace,
  openWorld,
  UNJUDGED,
} from './world.ts';

const NAMESPACE = 'requests';
let context: Context;

const subnet = (name: string, spec: object): object => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'Subnet',
  metadata: { name },
  spec,
});
const removeSubnets = (): Promise<string> =>
  kubectl(context.lab, [
    'delete',
    'subnets.mooring.dev',
    'wrong',
    'overlapping',
    'tiny',
    '--ignore-not-found',
    '--timeout=60s',
  ]);

beforeAll(async () => {
  context = await openWorld();
  await openNamespace(context, NAMESPACE, UNJUDGED);
  await removeSubnets();
});

afterAll(async () => {
  await closeNamespace(context, NAMESPACE);
  await removeSubnets();
});

describe('a wrong CIDR in a Subnet', () => {
  it('is refused by the API server when it is no CIDR at all', async () => {
    const wrong = applyThings(context, [subnet('wrong', { cidrBlock: '10.99.0.0/40' })]);
    await expect(wrong).rejects.toThrow(/must be a CIDR such as/);
  });

  it('with host bits set has a condition that says so, and recovers when it is mended', async () => {
    await applyThings(context, [subnet('wrong', { cidrBlock: '10.99.0.5/24' })]);
    const ready = { type: 'Ready', status: 'False', reason: 'InvalidCIDR' };
    expect(await expectCondition(context, ['subnets.mooring.dev', 'wrong'], ready)).toContain('10.99.0.0/24');
    await applyThings(context, [subnet('wrong', { cidrBlock: '10.99.0.0/24' })]);
    await expectCondition(context, ['subnets.mooring.dev', 'wrong'], {
      type: 'Ready',
      status: 'True',
      reason: 'Ready',
    });
  });

  it('that overlaps another subnet of the VPC names that subnet', async () => {
    await applyThings(context, [subnet('overlapping', { cidrBlock: '10.16.5.0/24' })]);
    const ready = { type: 'Ready', status: 'False', reason: 'CIDROverlap' };
    expect(await expectCondition(context, ['subnets.mooring.dev', 'overlapping'], ready)).toContain('default');
  });
});

describe('a full subnet', () => {
  it('gives an event to the pod that gets no address, and the address of the next one that leaves', async () => {
    await applyThings(context, [subnet('tiny', { cidrBlock: '10.98.0.0/30', namespaces: [NAMESPACE] })]);
    await expectCondition(context, ['subnets.mooring.dev', 'tiny'], { type: 'Ready', status: 'True', reason: 'Ready' });
    await applyThings(context, [formatSleeper(NAMESPACE, 'first')]);
    const first = await expectRunning(context, NAMESPACE, 'first');
    expect(first.status.podIP).toBe('10.98.0.2');
    await applyThings(context, [formatSleeper(NAMESPACE, 'second')]);
    expect(await expectEvent(context, NAMESPACE, 'second', 'SubnetFull')).toContain('tiny');
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'pod', 'first']);
    const second = await expectRunning(context, NAMESPACE, 'second', 60);
    expect(second.status.podIP).toBe('10.98.0.2');
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'pod', 'second']);
  });
});

describe('a NAD that does not exist', () => {
  it('gives an event to the VM that names it, and the NIC its address once the NAD is there', async () => {
    const vm = formatVm('needs-nad', 'bridge') as {
      metadata: { namespace: string };
      spec: { template: { spec: Record<string, never> } };
    };
    vm.metadata.namespace = NAMESPACE;
    const template = vm.spec.template.spec as unknown as {
      networks: object[];
      domain: { devices: { interfaces: object[] } };
    };
    template.networks.push({ name: 'biz', multus: { networkName: 'absent' } });
    template.domain.devices.interfaces.push({ name: 'biz', bridge: {} });
    await applyThings(context, [vm]);
    expect(await expectEvent(context, NAMESPACE, 'needs-nad', 'NetworkAttachmentNotFound')).toContain(
      `${NAMESPACE}/absent`,
    );
    const before = (await listThings(context, 'lp', ['-n', NAMESPACE])).filter((port) => port.spec.nic === 'biz');
    expect(before.map((port) => port.spec.ips)).toEqual([[]]);
    const config = JSON.stringify({ cniVersion: '0.3.1', type: 'mooring', provider: `absent.${NAMESPACE}.ovn` });
    const nad = { apiVersion: 'k8s.cni.cncf.io/v1', kind: 'NetworkAttachmentDefinition', spec: { config } };
    await applyThings(context, [
      subnet('biz', { cidrBlock: '172.30.0.0/24', provider: `absent.${NAMESPACE}.ovn` }),
      { ...nad, metadata: { name: 'absent', namespace: NAMESPACE } },
    ]);
    const port = await expectSoon('an address for the second NIC', 30, async () =>
      (await listThings(context, 'lp', ['-n', NAMESPACE])).find(
        (candidate) => candidate.spec.nic === 'biz' && candidate.spec.ips.length > 0,
      ),
    );
    expect(port.spec).toMatchObject({ subnet: 'biz', ips: ['172.30.0.2'] });
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'vm', 'needs-nad', '--timeout=60s']);
  });
});

describe('a pod that asks for an address of somebody else', () => {
  it('gets an event and no address; the owner is undisturbed', async () => {
    await kubectl(context.lab, ['delete', 'subnets.mooring.dev', 'tiny', '--ignore-not-found', '--timeout=60s']);
    await applyThings(context, [formatSleeper(NAMESPACE, 'owner')]);
    const owner = await expectRunning(context, NAMESPACE, 'owner');
    const ip = String(owner.status.podIP);
    await applyThings(context, [
      formatSleeper(NAMESPACE, 'thief', { annotations: { 'ovn.kubernetes.io/ip_address': ip } }),
    ]);
    expect(await expectEvent(context, NAMESPACE, 'thief', 'AddressInUse')).toContain(ip);
    expect((await getThing(context, 'pod', 'owner', NAMESPACE)).status.podIP).toBe(ip);
  });
});
