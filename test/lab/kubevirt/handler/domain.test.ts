import { describe, expect, it } from 'vitest';
import { formatDomain, parseDomain } from './domain.ts';
import type { Device, GuestRecord, NicPlan } from './record.ts';

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
        ['default', { mtu: 1400 }],
        ['side', { mtu: 1400 }],
      ]),
    );
  });

  it.each<[string, Device]>([
    ['of another model', { model: 'e1000e' }],
    ['with several queues', { queues: 4 }],
    ['whose link is down', { linkDown: true }],
  ])('has a NIC %s as the VMI asks for it', (_what, device) => {
    const xml = formatDomain(makeRecord([makeNic('default', 0, { device })]));
    expect(parseDomain(xml).get('default')).toEqual({ mtu: 1400, ...device });
  });

  it.each<[string, (xml: string) => string, Device]>([
    ['an MTU', (xml) => xml.replace('size="1400"', "size='1300'"), { mtu: 1300 }],
    ['a model', (xml) => xml.replace('virtio-non-transitional', 'e1000'), { mtu: 1400, model: 'e1000' }],
    ['a model of the same kind', (xml) => xml.replace('virtio-non-transitional', 'virtio'), { mtu: 1400 }],
    ['a link', (xml) => xml.replace('<alias', '<link state="down"/><alias'), { mtu: 1400, linkDown: true }],
    ['a link that is up', (xml) => xml.replace('<alias', '<link state="up"/><alias'), { mtu: 1400 }],
    ['queues', (xml) => xml.replace('<alias', '<driver queues="2"/><alias'), { mtu: 1400, queues: 2 }],
    ['no MTU', (xml) => xml.replace(/<mtu.*mtu>/, ''), {}],
  ])('tells of what a hook has set, also of a single NIC: %s', (_what, edit, device) => {
    const xml = edit(formatDomain(makeRecord([makeNic('default', 0)])));
    expect(parseDomain(xml)).toEqual(new Map([['default', device]]));
  });

  it('may have no NIC', () => {
    expect(parseDomain(formatDomain(makeRecord([])))).toEqual(new Map());
  });

  it.each([[''], ['<domain>'], ['<vm></vm>'], ['no xml']])('that libvirt could not define is an error: %s', (xml) => {
    expect(() => parseDomain(xml)).toThrow();
  });

  it.each([
    ['no model', (xml: string) => xml.replace(/<model.*model>/, '')],
    ['a model that is none', (xml: string) => xml.replace('virtio-non-transitional', 'ne3000')],
    ['an MTU that is no number', (xml: string) => xml.replace('"1400"', '"much"')],
    ['no queue at all', (xml: string) => xml.replace('<alias', '<driver queues="0"/><alias')],
  ])('whose NIC libvirt could not define is an error: %s', (_what, edit) => {
    const xml = formatDomain(makeRecord([makeNic('default', 0)]));
    expect(() => parseDomain(edit(xml))).toThrow(/libvirt/);
  });
});
