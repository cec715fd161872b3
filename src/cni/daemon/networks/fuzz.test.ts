import { describe, expect, test } from 'vitest';
import { matchNetworks } from '../../../plan/requests/match-networks.ts';
import { planChain } from './plan-chain.ts';
import { describeNetwork } from './results.ts';
import { readDefaultNetwork, readSelected, type Selected } from './selected.ts';
import { listTypes } from './who.ts';

const ROUNDS = 60_000;
const TIMEOUT = 120_000;
const PIECES = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '/',
    '@',
    '..',
    '\n',
    '\0',
    'ä',
    '\u202e',
    'null',
    'true',
    '-1',
    '1e999',
  ],
  ...[
    '__proto__',
    '"__proto__":{"polluted":1},',
    'constructor',
    '"name":"a"',
    '"plugins":[',
    '"type":"../sh"',
    'eth0',
    'net1',
  ],
  ...[
    '"ips":["x"]',
    '"cni-args":{"__proto__":{"polluted":1}}',
    '"capabilities":{"ips":true}',
    '"default-route":[]',
    '{}',
  ],
];
const ANNOTATIONS = [
  'a, other/b@x,c',
  '[{"name":"a","interface":"net3","ips":["10.0.0.1/24"],"mac":"02:00:00:00:00:01","cni-args":{"k":1}},{"name":"b"}]',
];
const CONFIGS = [
  '{"cniVersion":"1.0.0","type":"macvlan","capabilities":{"ips":true,"mac":true},"ipam":{"type":"host-local"}}',
  '{"cniVersion":"0.3.1","name":"l","plugins":[{"type":"bridge","args":{"cni":{"a":1}}},{"type":"tuning"}]}',
];

/** mulberry32: the same text for the same seed on every machine. */
function createRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

function mutate(text: string, below: (limit: number) => number): string {
  let changed = text;
  for (let times = 1 + below(4); times > 0; times -= 1) {
    const [at, length] = [below(changed.length + 1), below(6)];
    changed = `${changed.slice(0, at)}${PIECES[below(PIECES.length)]}${changed.slice(at + length)}`;
  }
  return changed;
}

const SELECTED: Selected = {
  ...{ namespace: 'shop', name: 'a', interface: 'net1', explicit: false },
  requests: { ips: ['10.0.0.1/24'], cniArgs: { k: 1 }, mac: '02:00:00:00:00:01' },
};

describe('hostile texts', { timeout: TIMEOUT }, () => {
  test('of an annotation give networks with plain names, or a refusal (F41, F59)', () => {
    const below = createRandom(41);
    let understood = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const text = mutate(ANNOTATIONS[below(ANNOTATIONS.length)] ?? '', below);
      readDefaultNetwork(text);
      const result = readSelected(text, 'shop');
      if (!result.ok) continue;
      understood += 1;
      for (const item of result.value) {
        expect(`${item.namespace}/${item.name}@${item.interface}`).toMatch(
          /^[a-z0-9.-]+\/[a-z0-9.-]+@[A-Za-z0-9._-]{1,15}$/,
        );
      }
      const names = matchNetworks(result.value, [{ nad: 'shop/a', ifname: 'net2' }]).wanted.map(
        ({ selected }) => selected.interface,
      );
      expect(new Set(names).size).toBe(names.length);
    }
    expect(understood).toBeGreaterThan(ROUNDS / 100);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('of a NAD give plugins that are plain files, or a refusal (F40, F59)', () => {
    const below = createRandom(40);
    let understood = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const config = mutate(CONFIGS[below(CONFIGS.length)] ?? '', below);
      listTypes(config);
      const result = planChain({ spec: { config } }, SELECTED);
      if (!result.ok) {
        if (result.problem.reason !== 'NetworkAttachmentInvalid') expect(result).toBe('a refusal of the NAD');
        continue;
      }
      understood += 1;
      for (const plugin of result.value.plugins) expect(plugin.type).toMatch(/^\w[\w.-]*$/);
    }
    expect(understood).toBeGreaterThan(ROUNDS / 100);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('of a plugin give a status that says what is known', () => {
    const below = createRandom(39);
    const text =
      '{"interfaces":[{"name":"net1","mac":"02:00:00:00:00:01","sandbox":"/x"}],"ips":[{"address":"10.0.0.1/24","interface":0}]}';
    for (let round = 0; round < ROUNDS; round += 1) {
      let result: Record<string, unknown> | undefined;
      try {
        result = JSON.parse(mutate(text, below)) as Record<string, unknown>;
      } catch {
        continue;
      }
      expect(describeNetwork({ network: 'shop/a', ifname: 'net1', first: false, result })).toMatchObject({
        interface: 'net1',
      });
    }
  });
});
