import { describe, expect, test } from 'vitest';
import { formatNodeNetwork, type NodeNetwork, parseNodeNetwork } from './node-network.ts';

const good: NodeNetwork = {
  nodeIps: ['100.64.0.5/16', 'fd00:100:64::5/112'],
  nodeMac: '0a:58:64:40:00:05',
  gatewayIps: ['100.64.0.2', 'fd00:100:64::2'],
  gatewayMac: '0a:58:64:40:00:02',
  routerIps: ['100.64.0.1', 'fd00:100:64::1'],
  podCidrs: ['10.16.0.0/16'],
  masqueradeCidrs: ['10.16.0.0/16'],
  vpcs: [{ name: 'blue', routerIps: ['100.64.0.9', 'fd00:100:64::9'] }],
  mtu: 1400,
};

describe('node network annotation', () => {
  test('what the operator writes is what the agent reads', () => {
    expect(parseNodeNetwork(formatNodeNetwork(good))).toEqual({ ok: true, network: good });
  });

  test('the order of keys and the spelling do not change the text', () => {
    const { mtu, nodeMac, ...rest } = good;
    const other = { mtu, ...rest, nodeMac: nodeMac.toUpperCase() };
    expect(formatNodeNetwork(other)).toBe(formatNodeNetwork(good));
  });

  test('writing refuses what reading would refuse', () => {
    expect(() => formatNodeNetwork({ ...good, mtu: 12 })).toThrow('mtu is not');
  });

  test.each([
    ['node address without prefix', { nodeIps: ['100.64.0.5'] }, 'nodeIps is not a list of addresses with prefix'],
    ['two node addresses of a family', { nodeIps: ['100.64.0.5/16', '100.64.0.6/16'] }, 'one of a family'],
    ['node address of another family', { nodeIps: ['fd00:100:64::5/112'] }, 'gatewayIps has other families'],
    ['no node address', { nodeIps: [] }, 'nodeIps is not'],
    ['multicast MAC', { nodeMac: '01:00:5e:00:00:01' }, 'nodeMac is not a unicast MAC'],
    ['no gateway MAC', { gatewayMac: undefined }, 'gatewayMac is not'],
    ['gateway with prefix', { gatewayIps: ['100.64.0.2/16'] }, 'gatewayIps is not a list of addresses'],
    [
      'gateway outside the join network',
      { gatewayIps: ['100.65.0.2', 'fd00:100:64::2'] },
      'gatewayIps is not in the network of nodeIps',
    ],
    [
      'router outside the join network',
      { routerIps: ['10.0.0.1', 'fd00:100:64::1'] },
      'routerIps is not in the network of nodeIps',
    ],
    ['node and router equal', { routerIps: ['100.64.0.5', 'fd00:100:64::1'] }, 'must all differ'],
    [
      'a VPC outside the join network',
      { vpcs: [{ name: 'blue', routerIps: ['10.0.0.1'] }] },
      'routerIps of VPC blue is not in the network of nodeIps',
    ],
    ['a VPC without a router', { vpcs: [{ name: 'blue', routerIps: [] }] }, 'vpcs is not'],
    ['a VPC without a name', { vpcs: [{ routerIps: ['100.64.0.9'] }] }, 'vpcs is not'],
    [
      'a VPC twice',
      { vpcs: ['100.64.0.9', '100.64.0.8'].map((ip) => ({ name: 'b', routerIps: [ip] })) },
      'vpcs is not',
    ],
    ['CIDR with host bits', { podCidrs: ['10.16.0.1/16'] }, 'podCidrs is not a list of CIDRs'],
    ['CIDR that is no text', { podCidrs: [7] }, 'podCidrs is not a list of CIDRs'],
    ['CIDRs not a list', { masqueradeCidrs: '10.16.0.0/16' }, 'masqueradeCidrs is not a list of CIDRs'],
    ['MTU too small', { mtu: 500 }, 'mtu is not'],
    ['MTU as text', { mtu: '1400' }, 'mtu is not'],
  ])('%s is refused by name', (_cause, change, problem) => {
    const parsed = parseNodeNetwork(JSON.stringify({ ...good, ...change }));
    expect(parsed).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  });

  test.each([
    ['', 'not JSON'],
    ['[]', 'not an object'],
    ['null', 'not an object'],
    ['{"__proto__":{"mtu":1400}}', 'nodeIps is not'],
    [`"${'x'.repeat(210_000)}"`, 'longer than 200000'],
  ])('text %# is refused', (text, problem) => {
    expect(parseNodeNetwork(text)).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  });

  test('an unknown key is left out', () => {
    const parsed = parseNodeNetwork(JSON.stringify({ ...good, later: 1 }));
    expect(parsed).toEqual({ ok: true, network: good });
  });

  test('what an operator from before IPv6 wrote is read as well', () => {
    const { nodeIps: _1, gatewayIps: _2, routerIps: _3, vpcs: _4, ...rest } = good;
    const old = { ...rest, nodeIp: '100.64.0.5/16', gatewayIp: '100.64.0.2', routerIp: '100.64.0.1' };
    expect(parseNodeNetwork(JSON.stringify(old))).toEqual({
      ok: true,
      network: { ...rest, nodeIps: ['100.64.0.5/16'], gatewayIps: ['100.64.0.2'], routerIps: ['100.64.0.1'], vpcs: [] },
    });
  });

  test('an agent from before IPv6 finds the IPv4 half under the former names', () => {
    const singular = { nodeIp: '100.64.0.5/16', gatewayIp: '100.64.0.2', routerIp: '100.64.0.1' };
    expect(JSON.parse(formatNodeNetwork(good))).toMatchObject(singular);
    const six = { ...good, nodeIps: ['fd00:100:64::5/112'], gatewayIps: ['fd00:100:64::2'], vpcs: [] };
    expect(formatNodeNetwork({ ...six, routerIps: ['fd00:100:64::1'] })).not.toContain('"nodeIp"');
  });

  test('IPv4 comes first whatever the order was', () => {
    const text = JSON.stringify({ ...good, nodeIps: good.nodeIps.toReversed() });
    expect(parseNodeNetwork(text)).toEqual({ ok: true, network: good });
  });
});
