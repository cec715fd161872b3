import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Context, expectSoon, listThings } from '../lab/demo/context.ts';
import { openWorld } from '../lab/scenarios/world.ts';
import {
  applyFiles,
  applyUnjudged,
  deleteFiles,
  expectIps,
  expectRefusal,
  expectRunning,
  getPorts,
  runInPod,
} from './world.ts';

/** Pods that may run beside each other, each one line of USAGE.md. */
const PODS = [
  ...['pod-fixed', 'pod-dual', 'pod-ippool', 'pod-dual-pool', 'deployment-pool', 'statefulset-pool'],
  ...['macvlan-short', 'macvlan-fixed', 'macvlan-pool', 'macvlan-alias', 'macvlan-from-ovn-subnet', 'macvlan-primary'],
  ...['attachnet-routes', 'attachnet-pool', 'attachnet-json', 'nad-conflist', 'trap-wrong-prefix', 'trap-empty-nad'],
] as const;
const OTHERS = ['vm', 'vm-annotated', 'trap-macvlan-bridge', 'vpcs'] as const;

let context: Context;

beforeAll(async () => {
  context = await openWorld();
  await deleteFiles(context, [...PODS, ...OTHERS]);
  await deleteFiles(context, ['objects']);
  await applyFiles(context, ['objects']);
  await applyFiles(context, [...PODS, 'vm-annotated']);
  await applyUnjudged(context, ['trap-macvlan-bridge']);
});

afterAll(async () => {
  await deleteFiles(context, [...PODS, ...OTHERS]);
  await deleteFiles(context, ['objects']);
});

const podIps = async (pod: string): Promise<string[]> =>
  ((await expectRunning(context, pod)).status.podIPs as { ip: string }[]).map(({ ip }) => ip);

async function showLink(pod: string, link: string): Promise<string> {
  await expectRunning(context, pod);
  return runInPod(context, pod, `ip addr show ${link}`);
}

async function listReplicaIps(app: string): Promise<string[]> {
  const pods = await expectSoon(`three pods of ${app}`, 60, async () => {
    const found = await listThings(context, 'pods', ['-n', 'default', '-l', `app=${app}`]);
    const running = found.filter(({ status }) => status.phase === 'Running');
    return running.length === 3 ? running : undefined;
  });
  return pods.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)).map((pod) => String(pod.status.podIP));
}

describe('addresses on the primary network', () => {
  it('gives a pod its fixed IP and MAC', async () => {
    expect(await podIps('fixed')).toEqual(['10.16.240.15']);
    expect(await showLink('fixed', 'eth0')).toContain('00:00:00:53:6b:b6');
  });

  it('gives both families of a dual-stack subnet that was chosen by logical_switch', async () => {
    expect(await podIps('dual')).toEqual(['10.26.0.15', 'fd00:10:26::15']);
  });

  it('takes the first free pair of a dual-stack pool', async () => {
    expect(await podIps('dual-pool')).toEqual(['10.26.0.31', 'fd00:10:26::31']);
  });

  it('takes an address of an IPPool by its name', async () => {
    expect((await podIps('pooled-by-name'))[0]).toMatch(/^10\.16\.210\.[123]$/);
  });

  it('gives each replica of a Deployment one of the pool', async () => {
    expect((await listReplicaIps('usage-deployment')).toSorted()).toEqual([
      '10.16.240.35',
      '10.16.240.36',
      '10.16.240.37',
    ]);
  });

  it('gives the replicas of a StatefulSet the pool by ordinal', async () => {
    expect(await listReplicaIps('usage-statefulset')).toEqual(['10.16.240.25', '10.16.240.26', '10.16.240.27']);
  });
});

describe('addresses for NICs that macvlan makes', () => {
  it.each([
    ['macvlan-short', 'net1', /172\.17\.\d+\.\d+\/16/],
    ['macvlan-fixed', 'nic1', /172\.17\.0\.100\/16/],
    ['macvlan-pool', 'net1', /172\.17\.0\.20[012]\/16/],
    ['macvlan-alias', 'net1', /172\.18\.0\.\d+\/24/],
    ['macvlan-from-ovn', 'net1', /10\.26\.0\.\d+\/24/],
  ])('%s has its address on %s', async (pod, link, address) => {
    expect(await showLink(pod, link)).toMatch(address);
  });

  it('keeps to a fixed MAC', async () => {
    expect(await showLink('macvlan-fixed', 'nic1')).toContain('00:00:00:53:6b:bb');
  });

  it('connects two such pods', async () => {
    await expectRunning(context, 'macvlan-short');
    await expectRunning(context, 'macvlan-fixed');
    expect(await runInPod(context, 'macvlan-short', 'ping -c 1 -W 3 172.17.0.100')).toContain('1 packets received');
  });

  it('can be the primary network, with the default route', async () => {
    expect(await podIps('macvlan-primary')).toEqual(['172.17.0.110']);
    expect(await runInPod(context, 'macvlan-primary', 'ip route')).toContain('default via 172.17.0.1 dev eth0');
  });

  it('takes no address of the excluded ones', async () => {
    const ports = [...(await getPorts(context, 'macvlan-short')).values()];
    expect(ports.flatMap(({ spec }) => (spec.subnet === 'macvlan' ? spec.ips : []))).toEqual([
      expect.not.stringMatching(/^172\.17\.0\.(\d|10)$/),
    ]);
  });
});

describe('secondary NICs of ours', () => {
  it('has fixed IP and MAC and the routes asked for', async () => {
    const link = await showLink('attached', 'net1');
    expect(link).toContain('172.17.0.120/16');
    expect(link).toContain('00:00:00:53:6b:cc');
    const routes = await runInPod(context, 'attached', 'ip route');
    expect(routes).toContain('192.168.0.0/24 via 172.17.0.254 dev net1');
    expect(routes).toContain('default via 172.17.0.254 dev net1');
  });

  it('takes from a pool', async () => {
    expect(await showLink('attached-pool', 'net1')).toMatch(/172\.17\.0\.13[01]\/16/);
  });

  it('is asked for in JSON, the same network twice', async () => {
    expect(await showLink('attached-json', 'biz0')).toContain('172.17.0.140/16');
    expect(await showLink('attached-json', 'biz1')).toMatch(/172\.17\.\d+\.\d+\/16/);
    await expectRunning(context, 'attached');
    expect(await runInPod(context, 'attached-json', 'ping -c 1 -W 3 172.17.0.120')).toContain('1 packets received');
  });

  it('is made by a list of plugins', async () => {
    expect(await showLink('listed', 'net1')).toMatch(/172\.19\.0\.\d+\/24/);
  });
});

describe('virtual machines', () => {
  it('has the address of its template on the pod network, and one on the second network', async () => {
    await applyFiles(context, ['vm']);
    const vmi = await expectSoon('usage-vm running', 90, async () => {
      const [found] = await listThings(context, 'vmi', ['-n', 'default', '-l', 'usage=vm']);
      return found?.status?.phase === 'Running' && found.status.interfaces?.length === 2 ? found : undefined;
    });
    const nics = vmi.status.interfaces as { name: string; ipAddress?: string }[];
    expect(nics.find(({ name }) => name === 'default')?.ipAddress).toBe('10.16.240.45');
    expect(nics.find(({ name }) => name === 'biz')?.ipAddress).toBe((await expectIps(context, 'usage-vm', 'biz'))[0]);
  });

  it('has its addresses before it ever starts: the first of a pool, and what mooring.dev/nics asks', async () => {
    expect(await expectIps(context, 'usage-annotated', 'default')).toEqual(['10.16.240.55']);
    expect(await expectIps(context, 'usage-annotated', 'biz')).toEqual(['172.17.0.160']);
    expect((await getPorts(context, 'usage-annotated')).get('biz')?.spec.mac).toBe('00:00:00:53:6b:ee');
  });
});

describe('VPCs', () => {
  it('may use the same addresses, and kubelets probe the pods of both', async () => {
    await applyFiles(context, ['vpcs']);
    for (const namespace of ['ns1', 'ns2']) {
      await expectSoon(`the probed pod of ${namespace} ready`, 60, async () => {
        const [pod] = await listThings(context, 'pods', ['-n', namespace]);
        const conditions = (pod?.status?.conditions ?? []) as { type: string; status: string }[];
        return conditions.some(({ type, status }) => type === 'Ready' && status === 'True') ? true : undefined;
      });
    }
  });
});

describe('known traps', () => {
  it('says which prefix applies when the one for other plugins is used for a NIC of ours', async () => {
    const { message } = await expectRefusal(context, 'trap-prefix', 'net1');
    expect(message).toContain('attachnet.default.ovn.kubernetes.io/ip_address');
  });

  it('says that a NAD with an empty spec cannot be tied to a subnet', async () => {
    const { reason, message } = await expectRefusal(context, 'trap-empty', 'net1');
    expect(reason).toBe('NetworkAttachmentInvalid');
    expect(message).toContain('default/empty');
  });

  it('says that macvlan cannot work under a bridge binding, and what does', async () => {
    const { message } = await expectRefusal(context, 'trap-macvlan', 'mac');
    expect(message).toMatch(/macvtap/);
  });
});
