import { describe, expect, it } from 'vitest';
import { findGuestAddress, formatMask, formatUdhcpd, parseResolver } from './dhcp.ts';
import type { NicPlan } from './record.ts';

const NIC: NicPlan = {
  name: 'default',
  binding: 'bridge',
  podInterface: 'eth0',
  primary: true,
  index: 0,
  mac: '02:00:00:aa:bb:01',
  podMac: '0a:58:0a:10:00:05',
  mtu: 1400,
  ipv4: ['10.16.0.5/16'],
  ipv6: ['fd00:10::5/64'],
  gateway: '10.16.0.1',
  routes: [{ destination: '10.30.0.0/16', gateway: '10.16.0.9' }],
  ports: [],
};
const options = { dir: '/state', hostname: 'vm1', resolver: { servers: ['10.96.0.10'], search: ['a.svc', 'b'] } };

describe('the guest that a launcher serves', () => {
  it('behind a bridge gets the pod address', () => {
    expect(findGuestAddress(NIC)).toEqual({ address: '10.16.0.5', prefix: 16, router: '10.16.0.1' });
  });

  it('behind a bridge without a gateway gets no router', () => {
    const { gateway: _, ...nic } = NIC;
    expect(findGuestAddress(nic)).toEqual({ address: '10.16.0.5', prefix: 16 });
  });

  it('behind masquerade gets the second address of 10.0.2.0/24', () => {
    expect(findGuestAddress({ ...NIC, binding: 'masquerade' })).toEqual({
      ...{ address: '10.0.2.2', prefix: 24, router: '10.0.2.1' },
    });
  });

  it.each([
    ['managedTap', { ...NIC, binding: 'managedTap' as const }],
    ['a bridge without IPv4', { ...NIC, ipv4: [] }],
  ])('behind %s is not served', (_, nic) => expect(formatUdhcpd(nic, options)).toBeUndefined());
});

describe("busybox udhcpd's configuration", () => {
  it('serves one guest, by its MAC, with what KubeVirt sends', () => {
    expect(formatUdhcpd(NIC, options)?.split('\n')).toEqual([
      'interface k6t-eth0',
      'start 10.16.0.5',
      'end 10.16.0.5',
      'max_leases 1',
      'static_lease 02:00:00:aa:bb:01 10.16.0.5',
      'lease_file /state/leases.0',
      'pidfile /state/udhcpd.0.pid',
      'auto_time 0',
      'opt subnet 255.255.0.0',
      'opt router 10.16.0.1',
      'opt dns 10.96.0.10',
      'opt search a.svc b',
      'opt staticroutes 10.30.0.0/16 10.16.0.9',
      'opt hostname vm1',
      'opt mtu 1400',
      'opt lease 86313600',
      '',
    ]);
  });
});

describe('masks', () => {
  it.each([
    [0, '0.0.0.0'],
    [20, '255.255.240.0'],
    [32, '255.255.255.255'],
  ])('/%i is %s', (prefix, mask) => expect(formatMask(prefix)).toBe(mask));
});

describe('resolv.conf', () => {
  it('gives IPv4 servers and all search domains', () => {
    const text = 'nameserver 10.96.0.10\nnameserver fd00::10\nsearch a.svc b\noptions ndots:5\n';
    expect(parseResolver(text)).toEqual({ servers: ['10.96.0.10'], search: ['a.svc', 'b'] });
  });
});
