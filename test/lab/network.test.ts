import { describe, expect, it } from 'vitest';
import { deriveNode } from './config.ts';
import { formatBridges, formatNodeAddresses, formatNodeLinks, isLabLink, isLabNamespace, NETWORKS } from './network.ts';

const nodes = Array.from({ length: 9 }, (_, index) => deriveNode('/lab', index + 1));

describe('names on the machine', () => {
  it('takes every link that it makes for its own', () => {
    const text = [formatBridges(), ...nodes.map(formatNodeLinks)].join('\n');
    const made = [...text.matchAll(/^link add (\S+)/gm)].map((match) => match[1] ?? '');
    expect(made).toHaveLength(NETWORKS.length * 10);
    expect(made.filter((name) => !isLabLink(name))).toEqual([]);
  });
  it("makes no link name longer than the kernel's 15 characters", () => {
    const text = [formatBridges(), ...nodes.map(formatNodeLinks)].join('\n');
    const made = [...text.matchAll(/^link add (\S+)/gm)].map((match) => match[1] ?? '');
    expect(made.filter((name) => name.length > 15)).toEqual([]);
  });
  it.each(['eth0', 'lab', 'lab-', 'lab-x1', 'lab-m123', 'xlab-m1', 'lab-mgmt0', 'label-m1'])(
    'leaves the link %s alone',
    (name) => {
      expect(isLabLink(name)).toBe(false);
    },
  );
  it.each([
    ['lab-node1', true],
    ['lab-outside', true],
    ['lab-other', false],
    ['node1', false],
    ['lab-node', false],
    ['cni-1234', false],
  ])('knows whether namespace %s is its own', (name, expected) => {
    expect(isLabNamespace(name)).toBe(expected);
  });
});

describe('a node', () => {
  it('has an IPv4 address on each network, an IPv6 one on the first, and no two nodes share one', () => {
    const text = nodes.map(formatNodeAddresses).join('');
    const addresses = [...text.matchAll(/addr add (\S+)/g)].map((match) => match[1]);
    expect(addresses).toHaveLength(36);
    expect(new Set(addresses).size).toBe(36);
  });
  it('keeps its default route when the underlay address moves to a bridge', () => {
    expect(formatNodeAddresses(deriveNode('/lab', 1))).toContain('route add default via 198.18.0.254 dev eth0');
  });
});
