import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatNodeNetwork, NODE_NETWORK_ANNOTATION } from '../../api/node-network.ts';
import type { KubeObject } from '../../kube/types.ts';
import { attach, eventually, PORTS, prepareSubnet } from './testing/berths.ts';
import { formatPodPort, NODE, startTestNode, type TestNode } from './testing/node.ts';

const network = {
  nodeIps: ['100.64.0.5/16'],
  nodeMac: '0a:58:64:40:00:05',
  gatewayIps: ['100.64.0.2'],
  gatewayMac: '0a:58:64:40:00:02',
  routerIps: ['100.64.0.1'],
  podCidrs: ['10.16.0.0/16'],
  masqueradeCidrs: ['10.16.0.0/16'],
  vpcs: [],
  mtu: 1400,
};

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
  await node.startAgent();
});
afterAll(() => node.stop());

const annotate = (change: object = {}) => {
  const annotations = { [NODE_NETWORK_ANNOTATION]: formatNodeNetwork({ ...network, ...change }) };
  return node.put('v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE, annotations } } as KubeObject);
};
const readConflist = () => readFile(join(node.folder, 'cni-conf/10-mooring.conflist'), 'utf8');
const status = async () => {
  const pod = { name: 'x', uid: 'x', containerId: 'x', netns: 'x' };
  const env = { CNI_CONTAINERID: '', CNI_IFNAME: '', CNI_NETNS: '', CNI_ARGS: '' };
  return node.cni({ command: 'STATUS', pod, env, config: { cniVersion: '1.1.0', name: 'mooring', type: 'mooring' } });
};

/** What the operator writes to NB for the join switch. */
async function programJoin(): Promise<void> {
  const ports = [
    ['gateway', 'localport', `${network.gatewayMac} ${network.gatewayIps[0]}`],
    [`node/${NODE}`, '', `${network.nodeMac} 100.64.0.5`],
  ];
  const router = ['vpc/default/join', '0a:58:64:40:00:01', '100.64.0.1/16'];
  const gateway = ['vpc/default/subnet/default', '0a:58:0a:10:00:01', '10.16.0.1/16'];
  await node.ovn.nbctl('lr-add', 'vpc/default', '--', 'ls-add', 'join');
  await node.ovn.nbctl('lrp-add', 'vpc/default', ...router, '--', 'lrp-add', 'vpc/default', ...gateway);
  await node.ovn
    .nbctl('lsp-add-router-port', 'join', 'join/r', router[0] ?? '')
    .catch(() => addRouterPort('join', router[0]));
  await addRouterPort('subnet/default', gateway[0]);
  for (const [name = '', type = '', addresses = ''] of ports) {
    await node.ovn.nbctl('lsp-add', 'join', name, '--', 'lsp-set-addresses', name, addresses);
    if (type !== '') await node.ovn.nbctl('lsp-set-type', name, type);
  }
  await node.ovn.nbctl('lr-route-add', 'vpc/default', '0.0.0.0/0', network.gatewayIps[0] ?? '');
}

async function addRouterPort(onSwitch: string, port = ''): Promise<void> {
  const name = `${onSwitch}/r`;
  await node.ovn.nbctl('lsp-add', onSwitch, name, '--', 'lsp-set-type', name, 'router');
  await node.ovn.nbctl('lsp-set-addresses', name, 'router', '--', 'lsp-set-options', name, `router-port=${port}`);
}

test('the node is ready only when its gateway works, then reaches pods and pods reach it', async () => {
  await eventually('no Node', async () => /"code":50.*not known/.test((await status()).output.replace(/\s/g, ' ')));
  await annotate();
  await eventually('devices', async () => (await node.exec(undefined, 'ip', '-br', 'link')).includes('mo0'));
  await eventually('waits for OVN', async () => (await status()).output.includes('OVN has not installed'));
  await expect(readConflist()).rejects.toMatchObject({ code: 'ENOENT' });
  await programJoin();
  await eventually('ready', async () => (await status()).exit === 0);
  await eventually('conflist', async () => (await readConflist().catch(() => '')).includes('mooring'));
  const addresses = await node.exec(undefined, 'ip', '-br', 'addr');
  expect(addresses).toMatch(/gw0 .*100\.64\.0\.2\/32/);
  expect(addresses).toMatch(/mo0 .*100\.64\.0\.5\/16/);
  expect(await node.exec(undefined, 'ip', 'route')).toContain('10.16.0.0/16 via 100.64.0.1 dev mo0');
  const { pod, ip } = await attach(node, 'reached', 51);
  await node.exec(undefined, 'busybox', 'ping', '-c', '3', '-W', '2', ip);
  await node.exec(pod.netns, 'busybox', 'ping', '-c', '3', '-W', '2', '100.64.0.5');
  await node.cni({ command: 'DEL', pod });
});

test('another address in the annotation replaces the old one', async () => {
  await annotate({ nodeIps: ['100.64.0.6/16'] });
  await eventually('changed', async () => (await node.exec(undefined, 'ip', '-br', 'addr')).includes('100.64.0.6/16'));
  expect(await node.exec(undefined, 'ip', '-br', 'addr')).not.toContain('100.64.0.5/16');
  await annotate();
  await eventually('changed', async () => (await node.exec(undefined, 'ip', '-br', 'addr')).includes('100.64.0.5/16'));
});

test('when ovs-vswitchd makes the devices anew, they are configured anew', async () => {
  await node.ovn.restartSwitch();
  await eventually('configured', async () => {
    const addresses = await node.exec(undefined, 'ip', '-br', 'addr').catch(() => '');
    return /gw0 .*100\.64\.0\.2\/32/.test(addresses) && /mo0 .*100\.64\.0\.5\/16/.test(addresses);
  });
  await eventually('ready', async () => (await status()).exit === 0);
});

test('the target of a migration gets its gate at ADD and loses it once it is the source', async () => {
  const pod = await node.addPod('launcher');
  const made = formatPodPort(pod, { ip: '10.16.0.52', mac: '02:00:0a:10:00:34' }) as unknown as {
    metadata: object;
    spec: { attachments: object[] };
  };
  const withRole = (role: string, uid?: string) =>
    ({
      ...made,
      metadata: { ...made.metadata, ...(uid === undefined ? {} : { uid }) },
      spec: { ...made.spec, binding: 'bridge', attachments: [{ ...made.spec.attachments[0], role }] },
    }) as unknown as KubeObject;
  const port = await node.put(PORTS, withRole('Target'));
  const lsp = 'pod/default/launcher/eth0';
  const options = [`requested-chassis=${NODE}`, `iface-id-ver=${port.metadata?.uid}`];
  await node.ovn.nbctl('lsp-add', 'subnet/default', lsp, '--', 'lsp-set-options', lsp, ...options);
  expect(await node.cni({ command: 'ADD', pod })).toMatchObject({ exit: 0 });
  const tables = () => node.exec(pod.netns, 'nft', 'list', 'tables');
  expect(await tables()).toContain('mooring-gate-eth0');
  await node.put(PORTS, withRole('Source', port.metadata?.uid));
  await eventually('gate removed', async () => !(await tables()).includes('mooring-gate'));
  await node.cni({ command: 'DEL', pod });
});

test('as a secondary network the node has no gateway and the runtime no configuration of ours, and an ADD works', async () => {
  const spec = { cidrBlock: '10.16.0.0/16' };
  await annotate({ mtu: 1300 });
  await node.stopAgent('SIGTERM');
  await node.put('mooring.dev/v1alpha1/subnets', {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'Subnet',
    metadata: { name: 'default' },
    spec,
  } as KubeObject);
  await node.startAgent('--secondary');
  await eventually('ready', async () => (await status()).exit === 0);
  await eventually('no conflist', async () => (await readConflist().catch(() => '')) === '');
  await eventually('no ports', async () => !/gw0|mo0/.test(await node.exec(undefined, 'ip', '-br', 'link')));
  await eventually('no rules', async () => (await node.exec(undefined, 'nft', 'list', 'tables')) === '');
  const { pod, outcome } = await attach(node, 'second', 53);
  expect(outcome).toMatchObject({ exit: 0 });
  expect(await node.exec(pod.netns, 'ip', 'link', 'show', 'eth0')).toContain('mtu 1300');
  await node.cni({ command: 'DEL', pod });
});
