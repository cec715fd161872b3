import { describe, expect, test } from 'vitest';
import { MULTUS_DEFAULT_NETWORK, MULTUS_NETWORKS } from '../../../api/annotations.ts';
import type { LogicalPort } from '../../../api/types.gen.ts';
import { CniError } from '../errors.ts';
import { REQUEST } from '../testing/fake-context.ts';
import type { Nad } from './plan-chain.ts';
import { describeSandbox, planFirst, planFurther } from './tasks.ts';

const NADS = new Map<string, Nad>([
  ['shop/mv', { spec: { config: '{"cniVersion":"0.3.1","type":"macvlan"}' } }],
  ['shop/ours', { spec: { config: '{"cniVersion":"1.0.0","type":"mooring"}' } }],
  ['other/mv', { spec: { config: '{"cniVersion":"1.0.0","name":"far","type":"macvlan"}' } }],
]);
const findNad = async (namespace: string, name: string): Promise<Nad> => {
  const found = NADS.get(`${namespace}/${name}`);
  if (found === undefined) throw new CniError('invalidConfig', `no ${namespace}/${name}`);
  return found;
};
const podOf = (annotations: Record<string, string>) => ({
  metadata: { namespace: 'shop', name: 'web', uid: 'u1', annotations },
});
const first = (annotations: Record<string, string>) => planFirst(REQUEST, podOf(annotations), { need: findNad });
const further = (annotations: Record<string, string>) => planFurther(REQUEST, podOf(annotations), { need: findNad });

describe('the first interface', () => {
  test("is the cluster's own network", async () => {
    expect(await first({})).toMatchObject({ first: true, ifname: 'eth0', network: 'mooring', chain: { ours: true } });
    expect(await first({ [MULTUS_DEFAULT_NETWORK]: ' ' })).toMatchObject({ network: 'mooring' });
  });

  test('is the network that the pod has chosen, under the name of the call', async () => {
    expect(await first({ [MULTUS_DEFAULT_NETWORK]: 'other/mv' })).toMatchObject({
      ...{ first: true, ifname: 'eth0', network: 'other/mv', nad: 'other/mv' },
      chain: { name: 'far', ours: false, plugins: [{ type: 'macvlan', name: 'far' }] },
    });
  });

  test('with the MAC that its key gives', async () => {
    const annotations = {
      [MULTUS_DEFAULT_NETWORK]: 'shop/mv',
      'mv.shop.kubernetes.io/mac_address': '02:00:00:00:00:AA',
    };
    expect(await first(annotations)).toMatchObject({ requests: { mac: '02:00:00:00:00:aa' } });
  });

  test('is refused when the chosen one is not there', async () => {
    await expect(first({ [MULTUS_DEFAULT_NETWORK]: 'shop/none' })).rejects.toThrow('no shop/none');
  });
});

describe('of a launcher without a guest', () => {
  const owner = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    name: 'db',
    uid: 'u',
    controller: true,
  };
  const item = {
    name: 'mv',
    namespace: 'shop',
    ips: ['192.0.2.7/24'],
    mac: '02:00:00:00:00:AA',
    'default-route': ['192.0.2.1'],
    'cni-args': { logicNetworkName: 'biz' },
  };
  const launcher = (annotations: Record<string, string>) => {
    const { metadata } = podOf({ 'kubevirt.io/ephemeral-provisioning': 'true', ...annotations });
    return { metadata: { ...metadata, ownerReferences: [owner] } };
  };

  test('the plugins are told of no address, MAC or route: those are the VM’s', async () => {
    const annotations = {
      [MULTUS_NETWORKS]: JSON.stringify([item]),
      [MULTUS_DEFAULT_NETWORK]: JSON.stringify([item]),
      'mv.shop.kubernetes.io/mac_address': '02:00:00:00:00:AA',
    };
    const requests = { cniArgs: item['cni-args'] };
    expect(await planFirst(REQUEST, launcher(annotations), { need: findNad })).toMatchObject({ requests });
    const [task] = await planFurther(REQUEST, launcher(annotations), { need: findNad });
    expect(task?.requests).toEqual(requests);
    const [ordinary] = await further(annotations);
    expect(ordinary?.requests).toMatchObject({ mac: item.mac, ips: item.ips, defaultRoute: ['192.0.2.1'] });
  });
});

describe('the other interfaces', () => {
  test('come in the order of the list', async () => {
    expect(await further({ [MULTUS_NETWORKS]: 'ours@a,mv,other/mv' })).toMatchObject([
      { ifname: 'a', nad: 'shop/ours', order: 1, first: false, chain: { ours: true } },
      { ifname: 'net2', nad: 'shop/mv', order: 2, chain: { ours: false, name: 'mv' } },
      { ifname: 'net3', nad: 'other/mv', order: 3, chain: { name: 'far' } },
    ]);
    expect(await further({})).toEqual([]);
  });

  test('keep the interface that their LogicalPort has, whatever their place in the list is now', async () => {
    const pod = podOf({ [MULTUS_NETWORKS]: 'mv,ours' });
    const attachment = { podName: 'p', podUID: pod.metadata?.uid ?? '', node: 'n', role: 'Source', nad: 'shop/ours' };
    const port = (interfaceName: string, podUID = attachment.podUID) =>
      ({ spec: { attachments: [{ ...attachment, podUID, interface: interfaceName }] } }) as unknown as LogicalPort;
    const names = async (...ports: LogicalPort[]) =>
      (await planFurther(REQUEST, pod, { need: findNad }, ports)).map(({ ifname }) => ifname);
    expect(await names(port('net3'))).toEqual(['net1', 'net3']);
    expect(await names(port('net1'))).toEqual(['net2', 'net1']);
    expect(await names(port('net3', 'another pod'))).toEqual(['net1', 'net2']);
    expect(await names(port('eth0'))).toEqual(['net1', 'net2']);
  });

  test.each([
    ['the key gives one', 'mv', '02:00:00:00:00:01', '02:00:00:00:00:01'],
    ['the list has its own', '[{"name":"mv","mac":"02:00:00:00:00:02"}]', '02:00:00:00:00:01', '02:00:00:00:00:02'],
  ])('have a MAC when %s', async (_cause, networks, key, mac) => {
    const annotations = { [MULTUS_NETWORKS]: networks, 'mv.shop.kubernetes.io/mac_address': key };
    expect(await further(annotations)).toMatchObject([{ requests: { mac } }]);
  });

  test.each([
    ['one that is not there', { [MULTUS_NETWORKS]: 'mv,none' }, 'no shop/none'],
    ['the name of the first one', { [MULTUS_NETWORKS]: 'mv@eth0' }, /eth0/],
    ['a list that cannot be understood', { [MULTUS_NETWORKS]: '[{]' }, 'InvalidRequest'],
  ])('are refused for %s', async (_cause, annotations, words) => {
    await expect(further(annotations)).rejects.toThrow(words);
  });
});

test("CNI_ARGS of a plugin are the runtime's, without what it wished for the first interface", () => {
  const args = new Map([
    ['K8S_POD_NAME', 'web'],
    ['IP', '10.0.0.1'],
    ['MAC', '02:00:00:00:00:01'],
    ['K8S_POD_UID', 'u1'],
  ]);
  expect(describeSandbox({ ...REQUEST, args }).cniArgs).toBe('K8S_POD_NAME=web;K8S_POD_UID=u1');
});
