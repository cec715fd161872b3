import { expect, it } from 'vitest';
import type { LogicalPort } from '../../api/types.gen.ts';
import { createRegistry } from '../../ipam/registry.ts';
import { setNetworks } from '../../ipam/testing.ts';
import type { Turn } from '../context.ts';
import { reserve } from './reserve.ts';
import type { Seen } from './seen.ts';

const owner: LogicalPort['spec']['owner'] = { kind: 'VirtualMachine', name: 'db', uid: 'u' };
const need = (nic: string, ips?: string[]) => ({
  owner,
  request: { nic, interface: nic, subnet: 's', absent: false, ...(ips === undefined ? {} : { ips }) },
});

function makeScene() {
  const registry = createRegistry((length) => crypto.getRandomValues(new Uint8Array(length)));
  setNetworks(registry, [{ name: 's', cidr: '10.0.0.0/24' }]);
  const turn = { addresses: { ...registry, allocate: registry.reserve } } as unknown as Turn;
  const seen = { namespace: 'a' } as unknown as Seen;
  const ask = (holder: string, ip: string) => registry.reserve([{ holder, subnet: 's', ips: [ip] }]).ok;
  return { ask, reserve: (...needs: ReturnType<typeof need>[]) => reserve(turn, seen, needs) };
}

it('gives all NICs their addresses or none, and tells each what is in the way', () => {
  const scene = makeScene();
  expect(scene.ask('b/other', '10.0.0.9')).toBe(true);
  const reserved = scene.reserve(need('one', ['10.0.0.5']), need('two', ['10.0.0.9']));
  expect(reserved.map(({ problem }) => problem?.reason)).toEqual(['AddressInUse', 'AddressInUse']);
  expect(reserved[0]?.problem?.message).toMatch(/^waits for NIC two, /);
  expect(scene.ask('b/next', '10.0.0.5')).toBe(true);
});

it('keeps what was reserved before when a sibling fails later: its LogicalPort may be there, the answer lost', () => {
  const scene = makeScene();
  expect(scene.reserve(need('one', ['10.0.0.5']))[0]?.lease?.ips).toEqual(['10.0.0.5']);
  expect(scene.ask('b/other', '10.0.0.9')).toBe(true);
  scene.reserve(need('one', ['10.0.0.5']), need('two', ['10.0.0.9']));
  expect(scene.ask('b/next', '10.0.0.5')).toBe(false);
});
