import { describe, expect, it } from 'vitest';
import type { LogicalPortSpec } from '../../api/types.gen.ts';
import type { NicRequest } from '../requests/types.ts';
import type { PoolWish } from '../wishes/types.ts';
import { findChange, isUnallocated } from './change.ts';

const makeSpec = (over: Partial<LogicalPortSpec> = {}): { spec: LogicalPortSpec } => ({
  spec: {
    owner: { kind: 'VirtualMachine', name: 'db', uid: 'v' },
    nic: 'default',
    subnet: 'net',
    ips: ['10.0.0.5', 'fd00::5'],
    mac: '0a:00:00:00:00:05',
    ...over,
  },
});
const asked = (over: Partial<NicRequest> = {}): NicRequest => ({
  nic: 'default',
  interface: 'eth0',
  subnet: 'net',
  absent: false,
  ...over,
});
const list = (...candidates: string[][]): PoolWish => ({ kind: 'list', candidates });

describe('findChange', () => {
  it.each<[string, NicRequest, Partial<LogicalPortSpec>, string | undefined]>([
    ['nothing but the subnet is asked for', asked(), {}, undefined],
    ['the very addresses', asked({ ips: ['10.0.0.5', 'fd00:0::5'], mac: '0A:00:00:00:00:05' }), {}, undefined],
    ['one family of two', asked({ ips: ['10.0.0.5'] }), {}, undefined],
    ['another address', asked({ ips: ['10.0.0.6'] }), {}, 'ips 10.0.0.6'],
    ['another address of one family', asked({ ips: ['10.0.0.5', 'fd00::6'] }), {}, 'ips 10.0.0.5,fd00::6'],
    ['another MAC', asked({ mac: '0a:00:00:00:00:06' }), {}, 'mac 0a:00:00:00:00:06'],
    ['another subnet', asked({ subnet: 'other' }), {}, 'subnet other'],
    ['a pool it came from', asked({ pool: { kind: 'named', name: 'p' } }), { pool: 'p' }, undefined],
    ['another pool', asked({ pool: { kind: 'named', name: 'q' } }), { pool: 'p' }, 'pool q'],
    ['no pool, having come from one by right of the namespace', asked(), { pool: 'p' }, undefined],
    ['a list with its address further down (K8)', asked({ pool: list(['10.0.0.4'], ['10.0.0.5']) }), {}, undefined],
    ['a list without its address', asked({ pool: list(['10.0.0.4']) }), {}, 'an address of a list'],
    ['a NIC that another plugin makes', asked({ ipamOnly: true }), {}, 'a NIC that another plugin makes'],
    ['a NIC of ours again', asked(), { ipamOnly: true }, 'a NIC of ours'],
  ])('%s', (_cause, request, spec, expected) => {
    expect(findChange(makeSpec(spec), request)).toBe(expected);
  });

  it('tells no more of a long request than a condition can hold', () => {
    expect(findChange(makeSpec(), asked({ mac: 'x'.repeat(10_000) }))).toHaveLength(500);
  });
});

describe('isUnallocated', () => {
  it('is a port without addresses', () => {
    expect([isUnallocated(makeSpec()), isUnallocated(makeSpec({ ips: [], mac: '' }))]).toEqual([false, true]);
  });
});
