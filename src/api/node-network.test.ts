import { describe, expect, test } from 'vitest';
import { formatNodeNetwork, type NodeNetwork, parseNodeNetwork } from './node-network.ts';

const good: NodeNetwork = {
  nodeIp: '100.64.0.5/16',
  nodeMac: '0a:58:64:40:00:05',
  gatewayIp: '100.64.0.2',
  gatewayMac: '0a:58:64:40:00:02',
  routerIp: '100.64.0.1',
  podCidrs: ['10.16.0.0/16'],
  masqueradeCidrs: ['10.16.0.0/16'],
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
    ['nodeIp without prefix', { nodeIp: '100.64.0.5' }, 'nodeIp is not an address with prefix'],
    ['node address of another family', { nodeIp: 'fd00::5/64' }, 'gatewayIp is not in the network'],
    ['multicast MAC', { nodeMac: '01:00:5e:00:00:01' }, 'nodeMac is not a unicast MAC'],
    ['no gateway MAC', { gatewayMac: undefined }, 'gatewayMac is not'],
    ['gateway with prefix', { gatewayIp: '100.64.0.2/16' }, 'gatewayIp is not an address'],
    ['gateway outside the join network', { gatewayIp: '100.65.0.2' }, 'gatewayIp is not in the network of nodeIp'],
    ['router outside the join network', { routerIp: '10.0.0.1' }, 'routerIp is not in the network of nodeIp'],
    ['node and router equal', { routerIp: '100.64.0.5' }, 'must be three addresses'],
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
    ['{"__proto__":{"mtu":1400}}', 'nodeIp is not'],
    [`"${'x'.repeat(70_000)}"`, 'longer than 64 KiB'],
  ])('text %# is refused', (text, problem) => {
    expect(parseNodeNetwork(text)).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  });

  test('an unknown key is left out', () => {
    const parsed = parseNodeNetwork(JSON.stringify({ ...good, later: 1 }));
    expect(parsed).toEqual({ ok: true, network: good });
  });
});
