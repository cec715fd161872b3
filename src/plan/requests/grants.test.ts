import { describe, expect, it } from 'vitest';
import type { Problem, Result } from '../../api/problem.ts';
import type { Subnet } from '../../api/types.gen.ts';
import { checkPool, chooseSubnet, type SubnetNeed } from './grants.ts';
import { type ContextOverrides, makePool, makeRequestContext, makeSubnet, makeVpc } from './testing/requests.ts';

const show = (result: Result<Subnet>): string =>
  result.ok ? result.value.metadata.name : `${result.problem.reason}: ${result.problem.message}`;
const choose = (need: Partial<SubnetNeed>, over: ContextOverrides = {}): string =>
  show(chooseSubnet(makeRequestContext(over).grants, { asked: undefined, ...need }));

describe('chooseSubnet', () => {
  it.each<[string, Partial<SubnetNeed>, ContextOverrides, string]>([
    ['the default subnet', {}, {}, 'default'],
    ["the namespace's own", {}, { namespace: 'ns1' }, 'net1'],
    ['one chosen by labels', {}, { labels: { team: 'blue' } }, 'by-label'],
    ["the provider's", { provider: 'attachnet.default.ovn' }, {}, 'attachnet'],
    ['the one asked for before the provider', { provider: 'attachnet.default.ovn', asked: 'default' }, {}, 'default'],
    [
      "another plugin's NIC on a subnet of ours",
      { provider: 'macvlan.default', ipamOnly: true, asked: 'default' },
      {},
      'default',
    ],
    [
      "another plugin's first NIC by its provider",
      { provider: 'macvlan.default', ipamOnly: true, first: true },
      {},
      'macvlan',
    ],
    [
      'our first NIC on a NAD, moved to another subnet of ours',
      { provider: 'attachnet.default.ovn', first: true, asked: 'default' },
      {},
      'default',
    ],
    [
      'the primary network by a NAD that names none',
      { provider: 'lonely.default.ovn', orPrimary: true },
      { namespace: 'ns1' },
      'net1',
    ],
    [
      'a NAD that names none, with a subnet of its own',
      { provider: 'attachnet.default.ovn', orPrimary: true },
      {},
      'attachnet',
    ],
  ])('%s', (_cause, need, over, expected) => {
    expect(choose(need, over)).toBe(expected);
  });

  it.each<[string, Partial<SubnetNeed>, ContextOverrides, string]>([
    ['one that is not there', { asked: 'x' }, {}, 'SubnetNotFound: subnet "x" does not exist'],
    ['no default', {}, { subnets: [] }, 'SubnetNotFound: subnet "default" does not exist'],
    [
      'a provider without subnet',
      { provider: 'lonely.default.ovn' },
      {},
      'SubnetNotFound: no subnet has the provider lonely.default.ovn',
    ],
    ["another namespace's", { asked: 'net1' }, {}, 'SubnetNotAllowed: namespace default may not use subnet net1'],
    [
      "one behind another namespace's NAD (F56)",
      { provider: 'secret.prod.ovn' },
      {},
      'SubnetNotAllowed: namespace default may not use subnet secret',
    ],
    [
      "another provider's",
      { asked: 'attachnet' },
      {},
      'SubnetNotAllowed: subnet attachnet has the provider "attachnet.default.ovn" and does not serve this NIC',
    ],
    [
      "another plugin's first NIC on a subnet of ours",
      { provider: 'macvlan.default', ipamOnly: true, first: true, asked: 'default' },
      {},
      "SubnetNotAllowed: subnet default serves other plugins' NICs, but not a pod's first one; make a subnet with the provider macvlan.default",
    ],
  ])('refuses %s', (_cause, need, over, expected) => {
    expect(choose(need, over)).toBe(expected);
  });

  it('lets the namespace that a subnet behind a foreign NAD names use it', () => {
    expect(choose({ provider: 'secret.prod.ovn' }, { namespace: 'prod' })).toBe('secret');
  });

  const inVpc = [makeSubnet('default'), makeSubnet('apart', { vpc: 'tenant' })];

  it.each<[string, ContextOverrides, string]>([
    ['a VPC for all', { vpcs: [makeVpc('tenant')] }, 'apart'],
    ['an empty list is for all', { vpcs: [makeVpc('tenant', [])] }, 'apart'],
    ['a VPC for this namespace', { vpcs: [makeVpc('tenant', ['default'])] }, 'apart'],
    [
      'a VPC for others',
      { vpcs: [makeVpc('tenant', ['ns1'])] },
      'VpcNotAllowed: namespace default may not use VPC tenant of subnet apart',
    ],
    ['no such VPC', {}, 'VpcNotFound: subnet apart is of VPC tenant, which does not exist'],
  ])('%s', (_cause, over, expected) => {
    expect(choose({ asked: 'apart' }, { subnets: inVpc, ...over })).toBe(expected);
  });

  it('needs no object for the default VPC, but obeys one', () => {
    expect(choose({}, { subnets: inVpc })).toBe('default');
    expect(choose({}, { subnets: inVpc, vpcs: [makeVpc('default', ['ns1'])] })).toMatch(/^VpcNotAllowed/);
  });

  it('a subnet can only narrow what its VPC admits', () => {
    const subnets = [makeSubnet('apart', { vpc: 'tenant', namespaces: ['default'] })];
    expect(choose({}, { subnets, vpcs: [makeVpc('tenant', ['ns1'])] })).toMatch(/^VpcNotAllowed/);
  });
});

describe('checkPool', () => {
  const pools = [makePool('open'), makePool('closed', { namespaces: ['ns1'] })];
  const check = (name: string, subnet: string, namespace = 'default'): string | undefined => {
    const problem: Problem | undefined = checkPool(makeRequestContext({ pools, namespace }).grants, name, subnet);
    return problem && `${problem.reason}: ${problem.message}`;
  };

  it('lets those pass who may', () => {
    expect([check('open', 'default'), check('closed', 'default', 'ns1')]).toEqual([undefined, undefined]);
  });

  it.each([
    ['none', 'x', 'default', 'PoolNotFound: IPPool "x" does not exist'],
    ["another namespace's", 'closed', 'default', 'PoolNotAllowed: IPPool closed may not be used by namespace default'],
    [
      "another subnet's",
      'open',
      'net1',
      'PoolNotAllowed: IPPool open is of subnet default, the NIC is on net1; ask for that with logical_switch',
    ],
  ])('refuses %s', (_cause, name, subnet, expected) => {
    expect(check(name, subnet)).toBe(expected);
  });
});
