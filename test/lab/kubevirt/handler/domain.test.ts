import { describe, expect, it } from 'vitest';
import { formatDomain, parseDomain } from './domain.ts';
import type { GuestRecord, NicPlan } from './record.ts';

const makeNic = (name: string, index: number, more: Partial<NicPlan> = {}): NicPlan => ({
  name,
  binding: 'bridge',
  podInterface: index === 0 ? 'eth0' : `pod${index}`,
  primary: index === 0,
  index,
  mac: `02:00:5e:00:00:0${index}`,
  podMac: `02:00:5e:00:00:0${index}`,
  mtu: 1400,
  ipv4: [],
  ipv6: [],
  routes: [],
  ports: [],
  ...more,
});

const makeRecord = (nics: NicPlan[]): GuestRecord => ({
  podUid: 'p',
  podName: 'virt-launcher-vm',
  namespace: 'ns',
  vmi: 'vm',
  vmiUid: 'u',
  node: 'node1',
  stage: 'prepared',
  nics,
});

describe('a domain', () => {
  it('has each NIC that is plugged, by KubeVirt’s alias, and comes back as it was', () => {
    const record = makeRecord([makeNic('default', 0), makeNic('side', 1), makeNic('later', 2, { plugged: false })]);
    const xml = formatDomain(record);
    expect(xml).toContain('<target dev="tap0" managed="no"></target>');
    expect(parseDomain(xml)).toEqual(
      new Map([
        ['default', 1400],
        ['side', 1400],
      ]),
    );
  });

  it('tells of an MTU that a hook has set, also of a single NIC', () => {
    const xml = formatDomain(makeRecord([makeNic('default', 0)])).replace('size="1400"', "size='1300'");
    expect(parseDomain(xml)).toEqual(new Map([['default', 1300]]));
  });

  it('says nothing of a NIC without an MTU, and may have no NIC', () => {
    const xml = formatDomain(makeRecord([makeNic('default', 0)])).replace(/<mtu.*mtu>/, '');
    expect(parseDomain(xml)).toEqual(new Map());
    expect(parseDomain(formatDomain(makeRecord([])))).toEqual(new Map());
  });

  it.each([[''], ['<domain>'], ['<vm></vm>'], ['no xml']])('that libvirt could not define is an error: %s', (xml) => {
    expect(() => parseDomain(xml)).toThrow();
  });
});
