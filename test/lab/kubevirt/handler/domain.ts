import { XMLParser } from 'fast-xml-parser';
import type { GuestRecord, NicPlan } from './record.ts';
import { namesOf } from './wiring.ts';

/** The domain as KubeVirt's own marshaller writes its NICs: tabs, no self-closing elements. */
export function formatDomain({ namespace, vmi, nics }: GuestRecord): string {
  return [
    '<domain type="kvm" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">',
    `\t<name>${namespace}_${vmi}</name>`,
    '\t<os>',
    '\t\t<type arch="x86_64" machine="q35">hvm</type>',
    '\t</os>',
    '\t<devices>',
    ...nics.filter(({ plugged }) => plugged !== false).flatMap(formatInterface),
    '\t</devices>',
    '</domain>',
  ].join('\n');
}

function formatInterface(nic: NicPlan): string[] {
  return [
    '\t\t<interface type="ethernet">',
    '\t\t\t<source></source>',
    `\t\t\t<target dev="${namesOf(nic).tap}" managed="no"></target>`,
    '\t\t\t<model type="virtio-non-transitional"></model>',
    `\t\t\t<mac address="${nic.mac}"></mac>`,
    `\t\t\t<mtu size="${nic.mtu}"></mtu>`,
    `\t\t\t<alias name="ua-${nic.name}"></alias>`,
    '\t\t\t<rom enabled="no"></rom>',
    '\t\t</interface>',
  ];
}

type Attributes = { readonly [key: string]: string | undefined };
type Interface = { readonly alias?: Attributes; readonly mtu?: Attributes };
type Domain = { readonly domain?: { readonly devices?: { readonly interface?: readonly Interface[] } } };

/**
 * The MTU that the guest is told of each NIC, by the NIC's name: of what a hook may change the only thing that the lab's
 * guests have. Throws Error for what libvirt could not define.
 */
export function parseDomain(xml: string): ReadonlyMap<string, number> {
  const isArray = (_name: string, path: unknown): boolean => path === 'domain.devices.interface';
  const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '', isArray });
  const { domain } = parser.parse(xml, true) as Domain;
  if (domain === undefined) throw new Error('no domain');
  const known = (domain.devices?.interface ?? []).map(readInterface);
  return new Map(known.filter(([, mtu]) => Number.isInteger(mtu)));
}

const readInterface = ({ alias, mtu }: Interface): [string, number] => [
  (alias?.name ?? '').replace(/^ua-/, ''),
  Number(mtu?.size),
];
