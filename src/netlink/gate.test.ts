import { describe, expect, test } from 'vitest';
import { deriveLinkNames, formatGate, formatGateRemoval, parseGateState } from './gate.ts';

describe('names that KubeVirt derives from a pod interface', () => {
  test.each([
    ['eth0', 'eth0-nic', 'tap0', 'k6t-eth0'],
    ['pod9bdd85331e7', '9bdd85331e7-nic', 'tap9bdd85331e7', 'k6t-9bdd85331e7'],
    ['net1', 'net1-nic', 'tap1', 'k6t-net1'],
  ])('%s', (name, nic, tap, bridge) => {
    expect(deriveLinkNames(name)).toEqual({ nic, tap, bridge });
  });
});

describe('rules', () => {
  test.each(['bridge', 'managedTap'] as const)(
    '%s: the tap opens, the renamed link waits, the rest is shut',
    (binding) => {
      const text = formatGate({ interface: 'pod9bdd85331e7', binding });
      expect(text).toContain('iifname "tap9bdd85331e7" add @open { meta iiftype } counter name spoken accept');
      const admitted = text.indexOf('iifname "9bdd85331e7-nic" meta iiftype @open counter name admitted accept');
      const refused = text.indexOf('iifname "9bdd85331e7-nic" counter name refused drop');
      expect(admitted).toBeGreaterThan(0);
      expect(refused).toBeGreaterThan(admitted);
      expect(text).toContain('hook output priority -300; oifname "pod9bdd85331e7" counter drop');
    },
  );

  test('masquerade: packets from the in-pod bridge open, no bridge rules', () => {
    const text = formatGate({ interface: 'eth0', binding: 'masquerade' });
    expect(text).toContain('iifname "k6t-eth0" add @open');
    expect(text).toContain('arp operation request counter drop');
    expect(text).not.toContain('table bridge mooring-gate-eth0 {');
  });

  test('masquerade: a SYN is refused before it can knock', () => {
    const text = formatGate({ interface: 'eth0', binding: 'masquerade' });
    const syn = text.indexOf('iifname "eth0" tcp flags & (fin | syn | rst | ack) == syn counter name refused drop');
    expect(syn).toBeGreaterThan(text.indexOf('@open counter name admitted accept'));
    expect(text.indexOf('counter name knocked accept')).toBeGreaterThan(syn);
  });

  test('removal names every family, and may be repeated', () => {
    const text = formatGateRemoval('eth0');
    for (const family of ['bridge', 'inet', 'arp']) {
      expect(text).toContain(`add table ${family} mooring-gate-eth0\ndelete table ${family} mooring-gate-eth0\n`);
    }
  });

  test.each(['eth0"; flush ruleset', 'a b', 'a;b', 'a{b', '', 'a$b', 'eth0\ndrop'])(
    'the name %j is refused',
    (name) => {
      expect(() => formatGate({ interface: name, binding: 'bridge' })).toThrow(/EINVAL/);
    },
  );
});

describe('state', () => {
  const json = (elem?: unknown[]) =>
    JSON.stringify({
      nftables: [
        { metainfo: { version: '1.0.6' } },
        { counter: { family: 'bridge', name: 'refused', table: 'mooring-gate-eth0', packets: 3, bytes: 180 } },
        { set: { family: 'bridge', name: 'open', type: 'iface_type', ...(elem === undefined ? {} : { elem }) } },
      ],
    });

  test('a set without elements is shut', () => {
    expect(parseGateState('eth0', json())).toEqual({ interface: 'eth0', open: false, counters: { refused: 3 } });
  });

  test('a set with an element is open', () => {
    expect(parseGateState('eth0', json(['ether'])).open).toBe(true);
  });

  test('an answer without objects is refused', () => {
    expect(() => parseGateState('eth0', '{}')).toThrow(/EBADMSG/);
  });
});
