import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ensureCniPlugins } from '../../../../test/cni/plugins.ts';
import { NETWORK_STATUS } from '../../../api/annotations.ts';
import type { KubeObject } from '../../../kube/types.ts';
import { CONFLIST_NAME, formatConflist } from '../install.ts';
import { berth, eventually, listHostEnds, listOvsPorts, PORTS, prepareSubnet } from '../testing/berths.ts';
import { formatPodPort, startTestNode, type TestNode, type TestPod } from '../testing/node.ts';

const NADS = 'k8s.cni.cncf.io/v1/network-attachment-definitions';
const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
/** A segment that the node is on, as the parent of macvlan. */
const PARENT = 'segment0';

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
  const plugins = await ensureCniPlugins(process.env);
  await mkdir(join(node.folder, 'cni-bin'), { recursive: true });
  for (const name of ['macvlan', 'bridge', 'host-local', 'tuning']) {
    await copyFile(join(plugins, name), join(node.folder, 'cni-bin', name));
  }
  await mkdir(join(node.folder, 'cni-conf'), { recursive: true });
  await writeFile(join(node.folder, 'cni-conf', CONFLIST_NAME), formatConflist());
  await node.exec(undefined, 'ip', 'link', 'add', PARENT, 'type', 'bridge');
  await node.exec(undefined, 'ip', 'link', 'set', PARENT, 'up');
  const macvlan = { cniVersion: '0.3.0', type: 'macvlan', master: PARENT, mode: 'bridge' };
  const local = { type: 'host-local', dataDir: join(node.folder, 'host-local'), subnet: '10.30.0.0/24' };
  const configs = {
    macvlan: { ...macvlan, ipam: { type: 'mooring', provider: 'macvlan.default' } },
    bridged: {
      ...{ cniVersion: '1.0.0', name: 'bridged' },
      plugins: [
        { type: 'bridge', bridge: 'brtest0', ipam: local },
        { type: 'tuning', capabilities: { mac: true } },
      ],
    },
  };
  for (const [name, config] of Object.entries(configs)) {
    await node.put(NADS, {
      metadata: { name, namespace: 'default' },
      spec: { config: JSON.stringify(config) },
    } as KubeObject);
  }
  const spec = { cidrBlock: '172.17.0.0/16', gateway: '172.17.0.1', provider: 'macvlan.default' };
  await node.put('mooring.dev/v1alpha1/subnets', { metadata: { name: 'macvlan' }, spec } as KubeObject);
  await node.startAgent();
}, 600_000);
afterAll(() => node.stop());
afterEach(() =>
  eventually('nothing left', async () => {
    const records = await Promise.all(
      ['networks', 'attachments'].map((name) => readdir(join(node.folder, 'state', name))),
    );
    return (await listOvsPorts(node)).length + (await listHostEnds(node)).length + records.flat().length === 0;
  }),
);

/** What the operator makes for a NIC that another plugin makes with an address of ours. */
async function giveAddress(pod: TestPod, ifname: string, ip: string): Promise<void> {
  const port = formatPodPort(pod, { ip, mac: '' }) as KubeObject & { spec: { attachments: object[] } };
  const attachments = port.spec.attachments.map((item) => ({ ...item, interface: ifname, nad: 'default/macvlan' }));
  const metadata = { ...port.metadata, name: `${pod.name}.${ifname}.pod` };
  const spec = { ...port.spec, nic: ifname, subnet: 'macvlan', ipamOnly: true, attachments };
  await node.put(PORTS, { ...port, metadata, spec } as KubeObject);
}

const add = (pod: TestPod) => node.cni({ command: 'ADD', pod });
const del = (pod: TestPod) => node.cni({ command: 'DEL', pod });
const readStatus = async (pod: TestPod): Promise<unknown> => {
  const found = (await node.list('v1/pods')).find(({ metadata }) => metadata?.uid === pod.uid);
  return JSON.parse(found?.metadata?.annotations?.[NETWORK_STATUS] ?? '[]');
};

describe('the reference plugins', () => {
  test('macvlan with addresses of ours: two pods reach each other, and the links go with DEL', async () => {
    const pods: TestPod[] = [];
    for (const [index, name] of ['mv-a', 'mv-b'].entries()) {
      const pod = await node.addPod(name, { [NETWORKS]: 'macvlan@side' });
      await berth(node, pod, 80 + index);
      await giveAddress(pod, 'side', `172.17.0.${20 + index}`);
      expect(await add(pod)).toMatchObject({ exit: 0 });
      pods.push(pod);
    }
    const [a, b] = pods;
    expect(await readStatus(a as TestPod)).toMatchObject([
      { name: 'mooring', default: true },
      {
        name: 'default/macvlan',
        interface: 'side',
        ips: ['172.17.0.20'],
        mac: expect.stringMatching(/^([0-9a-f]{2}:){5}/),
      },
    ]);
    await node.exec(a?.netns, 'busybox', 'ping', '-c', '2', '-W', '2', '172.17.0.21');
    for (const pod of pods) expect(await del(pod)).toMatchObject({ exit: 0, output: '' });
    expect(await node.exec(b?.netns, 'ip', '-br', 'link')).not.toContain('side');
  });

  test('macvlan as the first interface, with an address of ours', async () => {
    const pod = await node.addPod('mv-first', { 'v1.multus-cni.io/default-network': 'default/macvlan' });
    await giveAddress(pod, 'eth0', '172.17.0.30');
    const outcome = await add(pod);
    expect(outcome).toMatchObject({ exit: 0 });
    expect(JSON.parse(outcome.output)).toMatchObject({
      cniVersion: '1.0.0',
      interfaces: [{ name: 'eth0', sandbox: `/run/netns/${pod.netns}` }],
      ips: [{ address: '172.17.0.30/16', gateway: '172.17.0.1' }],
    });
    expect(await node.exec(pod.netns, 'ip', 'route', 'show', 'default')).toContain('via 172.17.0.1 dev eth0');
    expect(await readStatus(pod)).toMatchObject([{ name: 'default/macvlan', interface: 'eth0', default: true }]);
    expect(await del(pod)).toMatchObject({ exit: 0 });
  });

  test('bridge with host-local and tuning: the wished MAC, and no address is left', async () => {
    const list = [{ name: 'bridged', interface: 'side', mac: '02:00:00:00:99:01' }];
    const pod = await node.addPod('bridged', { [NETWORKS]: JSON.stringify(list) });
    await berth(node, pod, 82);
    expect(await add(pod)).toMatchObject({ exit: 0 });
    expect(await node.exec(pod.netns, 'ip', 'link', 'show', 'side')).toContain('02:00:00:00:99:01');
    expect(await readStatus(pod)).toMatchObject([
      {},
      { interface: 'side', ips: [expect.stringMatching(/^10\.30\.0\./)] },
    ]);
    const listGiven = async () =>
      (await readdir(join(node.folder, 'host-local/bridged'))).filter((name) => name.startsWith('10.'));
    expect(await listGiven()).toHaveLength(1);
    expect(await del(pod)).toMatchObject({ exit: 0 });
    expect(await listGiven()).toEqual([]);
  });
});
