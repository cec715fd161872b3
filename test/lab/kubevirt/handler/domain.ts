import { XMLParser } from 'fast-xml-parser';
import type { NicModel } from '../../../../src/api/nic-devices.ts';
import { findModel, isLinkDown } from './device.ts';
import type { Device, GuestRecord, NicPlan } from './record.ts';
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
  const { model = 'virtio', queues } = nic.device ?? {};
  return [
    '\t\t<interface type="ethernet">',
    '\t\t\t<source></source>',
    `\t\t\t<target dev="${namesOf(nic).tap}" managed="no"></target>`,
    `\t\t\t<model type="${model === 'virtio' ? 'virtio-non-transitional' : model}"></model>`,
    `\t\t\t<mac address="${nic.mac}"></mac>`,
    `\t\t\t<mtu size="${nic.mtu}"></mtu>`,
    ...(isLinkDown(nic) ? ['\t\t\t<link state="down"></link>'] : []),
    `\t\t\t<alias name="ua-${nic.name}"></alias>`,
    ...(queues === undefined ? [] : [`\t\t\t<driver name="vhost" queues="${queues}"></driver>`]),
    '\t\t\t<rom enabled="no"></rom>',
    '\t\t</interface>',
  ];
}

type Attributes = { readonly [key: string]: string | undefined };
type Interface = { readonly [tag in 'alias' | 'driver' | 'link' | 'model' | 'mtu']?: Attributes };
type Domain = { readonly domain?: { readonly devices?: { readonly interface?: readonly Interface[] } } };

/**
 * The device of each NIC, by the NIC's name, after hooks have changed the domain. Of all that they may change these are the
 * things that the lab's guests have. Throws Error for what libvirt could not define.
 */
export function parseDomain(xml: string): ReadonlyMap<string, Device> {
  const isArray = (_name: string, path: unknown): boolean => path === 'domain.devices.interface';
  const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '', isArray });
  const { domain } = parser.parse(xml, true) as Domain;
  if (domain === undefined) throw new Error('no domain');
  return new Map((domain.devices?.interface ?? []).map(readInterface));
}

function readInterface(nic: Interface): [name: string, device: Device] {
  const [mtu, queues] = [readNumber(nic.mtu?.size), readNumber(nic.driver?.queues)];
  const model = readModel(nic);
  const device = {
    ...(model === 'virtio' ? {} : { model }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(queues === undefined ? {} : { queues }),
    ...(nic.link?.state === 'down' ? { linkDown: true } : {}),
  };
  return [readAlias(nic), device];
}

const readAlias = ({ alias }: Interface): string => (alias?.name ?? '').replace(/^ua-/, '');

function readModel({ model }: Interface): NicModel {
  const type = model?.type ?? '';
  const found = findModel(type);
  if (found === undefined) throw new Error(`libvirt knows no model ${type}`);
  return found;
}

function readNumber(text: string | undefined): number | undefined {
  if (text !== undefined && !/^[1-9]\d{0,5}$/.test(text)) throw new Error(`libvirt takes no ${text} for a number`);
  return text === undefined ? undefined : Number(text);
}
