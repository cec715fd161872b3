import { describe, expect, it } from 'vitest';
import { makeAddressRequest } from './address-request.ts';
import type { NicRequest } from './types.ts';

const BARE: NicRequest = { nic: 'biz', interface: 'eth0', subnet: 's', absent: false };
const candidates = [['10.0.0.7'], ['10.0.0.8']];

describe('what the allocator is asked for', () => {
  it.each<[string, Partial<NicRequest>, object]>([
    ['nothing but the subnet', {}, {}],
    ['addresses', { ips: ['10.0.0.7'] }, { ips: ['10.0.0.7'] }],
    ['a MAC', { mac: '02:00:00:00:00:01' }, { mac: '02:00:00:00:00:01' }],
    ['a pool by name', { pool: { kind: 'named', name: 'web' } }, { pool: 'web' }],
    ['one of a list', { pool: { kind: 'list', candidates } }, { candidates }],
    ['its own of a list', { pool: { kind: 'list', candidates, ordinal: 1 } }, { candidates, ordinal: 1 }],
  ])('%s', (_what, request, expected) => {
    const asked = makeAddressRequest('ns1', 'ns1/vm.biz.vm', { ...BARE, ...request });
    expect(asked).toEqual({ holder: 'ns1/vm.biz.vm', namespace: 'ns1', subnet: 's', ...expected });
  });
});
