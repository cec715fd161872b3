import { ALLOW_BRIDGE_MIGRATION } from '../../api/annotations.ts';
import type { Binding } from '../../api/binding.ts';
import { quote } from '../../ipam/ranges.ts';
import { servesBinding } from '../../plan/networks/dhcp-server.ts';
import { findServed, listFamilies } from './auto.ts';
import type { Decision } from './decide.ts';
import type { KubevirtSettings } from './kubevirt.ts';

/** What the consequences depend on beside the NIC. */
export type Surroundings = {
  readonly kubevirt: KubevirtSettings;
  /** The template has, or is to have, the annotation that lets bridge on the pod network migrate. */
  readonly mayMigrate: boolean;
};

/** The API server cuts a warning at 256 characters, and all of them at 4096. */
const MAX_LENGTH = 250;
const MAX_WARNINGS = 16;

/** What a NIC's binding means, in short lines: of one that was written everything, else only what surprises. */
export function describeConsequences(decision: Decision, around: Surroundings): string[] {
  const { slot, binding, change, left, statement } = decision;
  const lines = [
    ...(left === undefined ? [] : [`${statement.from} asks for ${statement.policy}, left as it is: ${left}`]),
    ...(change === undefined ? [] : [sayChange(decision, change.to)]),
    ...(binding === undefined || slot.nic.absent ? [] : listSurprises(decision, binding, around)),
  ];
  return lines.map((line) => `NIC ${quote(slot.nic.name)}: ${line}`);
}

/** At most what the API server passes on. */
export function limitWarnings(warnings: readonly string[]): string[] {
  const shown = [...new Set(warnings)].map((line) => line.slice(0, MAX_LENGTH));
  const more = shown.length - MAX_WARNINGS;
  return more > 0 ? [...shown.slice(0, MAX_WARNINGS), `${more} more warnings about bindings`] : shown;
}

const REACHED: Record<Binding, string> = {
  bridge: 'Services and probes reach the guest, a mesh sidecar sees none of its traffic',
  masquerade: 'Services, probes and meshes reach the ports that the interface lists, or all if it lists none',
  managedTap: 'Services and probes reach the guest, a mesh sidecar sees none of its traffic',
};

function sayChange({ network, statement }: Decision, to: Binding): string {
  const address =
    to === 'masquerade'
      ? "the guest has an address behind KubeVirt's NAT, the port's is outside"
      : "the guest has the port's own address";
  const first = `${to} (${statement.from}): ${address}`;
  return network.kind === 'secondary' ? first : `${first}; ${REACHED[to]}`;
}

function listSurprises(decision: Decision, binding: Binding, around: Surroundings): string[] {
  return [
    ...listMigration(decision, binding, around),
    ...listDhcp(decision, binding),
    ...(binding === 'managedTap' && decision.network.kind === 'secondary'
      ? ['KubeVirt can plug it neither into nor out of a running VM; only bridge can be']
      : []),
  ];
}

/** KubeVirt judges the interface on the pod network only (`VerifyVMIMigratable`). */
function listMigration({ network, change }: Decision, binding: Binding, around: Surroundings): string[] {
  if (network.kind !== 'pod') return [];
  if (binding === 'bridge') {
    if (network.maker !== 'ours')
      return ['no live migration that keeps the address: the pod network is not of Mooring'];
    if (!around.mayMigrate) return [`no live migration: the template lacks the annotation ${ALLOW_BRIDGE_MIGRATION}`];
    return change === undefined ? [] : [`live migration by the template's annotation ${ALLOW_BRIDGE_MIGRATION}`];
  }
  if (binding === 'masquerade' || around.kubevirt.managedTap?.migrates === true) return [];
  return ['no live migration: KubeVirt has the plugin managedTap without "migration: {}", or not at all'];
}

function listDhcp(decision: Decision, binding: Binding): string[] {
  if (binding === 'masquerade') return [];
  const served = findServed(decision.network);
  if (binding === 'managedTap' && !served.v4 && !served.v6) return [sayNoDhcp(decision)];
  const lines = listFamilies(decision.network).includes(6) && !served.v6 ? [sayNoIpv6(decision)] : [];
  return isHidden(decision, binding) ? [...lines, sayHidden(decision)] : lines;
}

function isHidden({ network }: Decision, binding: Binding): boolean {
  const { subnet } = network;
  return binding === 'bridge' && findServed(network).v4 && subnet !== undefined && servesBinding(binding, subnet.spec);
}

/** KubeVirt shows what it finds on the launcher's link, which has no address then; nobody else may write the VMI. */
const sayHidden = (decision: Decision): string =>
  `the guest's DHCP is the one${nameSubnet(decision)}: the VMI shows the address only with a guest agent, under managedTap, or with dhcp.server: KubeVirt; the LogicalPort always does`;

const nameSubnet = ({ network: { subnet } }: Decision): string =>
  subnet === undefined ? '' : ` on Subnet ${subnet.metadata.name}`;

const sayNoDhcp = (decision: Decision): string =>
  decision.network.maker === 'ours'
    ? `no DHCP: set enableDHCP${nameSubnet(decision)}, or configure the guest by cloud-init`
    : 'no DHCP of KubeVirt or Mooring: configure the guest by cloud-init';

const sayNoIpv6 = (decision: Decision): string =>
  `no IPv6 is served to the guest: set enableDHCP and enableIPv6RA${nameSubnet(decision)}, or use cloud-init`;
