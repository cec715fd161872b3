import {
  type Condition,
  findCondition,
  type Interface,
  isDeleting,
  isOwnedBy,
  type Network,
  type Vm,
  type Vmi,
  type VmiInterface,
  type VmiSpec,
} from '../objects.ts';
import { isSame } from './conditions.ts';
import type { Context, Observed, Write } from './plan.ts';

const RESTART = 'a non-live-updatable field was changed in the template spec';

/**
 * What of a VM's template reaches its running VMI: NICs added, their `state`, and with gate LiveUpdateNADRef the NADs'
 * names (KubeVirt pkg/network/controllers/vm.go). What is unplugged leaves VMI and VM when the VMI's status has lost it.
 */
export function planLiveUpdate({ vm, vmi }: Observed, context: Context): Write | undefined {
  if (vm === undefined || isDeleting(vm)) return undefined;
  if (vmi === undefined) return planTemplate(vm, []);
  return isOwnedBy(vmi, vm) && isRunning(vmi) ? planRunning(vm, vmi, context) : undefined;
}

function isRunning(vmi: Vmi): boolean {
  return vmi.status?.phase === 'Running' && !isDeleting(vmi);
}

function planRunning(vm: Vm, vmi: Vmi, context: Context): Write | undefined {
  const spec = deriveLiveSpec(vm.spec.template.spec, vmi, context.settings.liveUpdateNad);
  if (!isSame(spec, vmi.spec)) return { verb: 'update', kind: 'VirtualMachineInstance', object: { ...vmi, spec } };
  return planTemplate(vm, vmi.status?.interfaces ?? []) ?? planRestartMark(vm, vmi, context);
}

/** The VMI's spec after the template's live changes. */
export function deriveLiveSpec(template: VmiSpec, vmi: Vmi, liveUpdateNad: boolean): VmiSpec {
  const { networks = [], domain } = vmi.spec;
  const interfaces = domain.devices.interfaces ?? [];
  const wanted = new Map((template.domain.devices.interfaces ?? []).map((nic) => [nic.name, nic]));
  const added = findAdded(template, interfaces);
  const renamed = liveUpdateNad ? networks.map((network) => takeNad(network, template.networks ?? [])) : networks;
  const all = {
    interfaces: [...interfaces.map((nic) => takeState(nic, wanted.get(nic.name))), ...added.map(({ nic }) => nic)],
    networks: [...renamed, ...added.map(({ network }) => network)],
  };
  const left = withoutDetached(all, vmi.status?.interfaces ?? []);
  if (isSame(left, { interfaces, networks })) return vmi.spec;
  const devices = { ...domain.devices, interfaces: left.interfaces };
  return { ...vmi.spec, domain: { ...domain, devices }, networks: left.networks };
}

/** Only core bridge binding on a secondary network is plugged into a running guest. */
function findAdded(template: VmiSpec, known: readonly Interface[]): { nic: Interface; network: Network }[] {
  const names = new Set(known.map((nic) => nic.name));
  return (template.domain.devices.interfaces ?? []).flatMap((nic) => {
    const network = template.networks?.find((one) => one.name === nic.name);
    const pluggable = nic.bridge !== undefined && network?.multus !== undefined && network.multus.default !== true;
    return pluggable && !names.has(nic.name) && nic.state !== 'absent' ? [{ nic, network }] : [];
  });
}

/** A NIC that is being unplugged does not come back. */
function takeState(nic: Interface, wanted: Interface | undefined): Interface {
  if (wanted === undefined || nic.state === 'absent' || wanted.state === nic.state) return nic;
  if (wanted.state === 'absent' && nic.bridge === undefined) return nic;
  const { state: _, ...rest } = nic;
  return wanted.state === undefined ? rest : { ...rest, state: wanted.state };
}

function takeNad(network: Network, wanted: readonly Network[]): Network {
  const multus = wanted.find((one) => one.name === network.name)?.multus;
  if (multus === undefined || network.multus === undefined || network.multus.default === true) return network;
  return { ...network, multus: { ...network.multus, networkName: multus.networkName } };
}

type Nics = { interfaces: Interface[]; networks: Network[] };

function withoutDetached({ interfaces, networks }: Nics, reported: readonly VmiInterface[]): Nics {
  const gone = interfaces.filter((nic) => nic.state === 'absent' && !reported.some((one) => one.name === nic.name));
  const names = new Set(gone.map((nic) => nic.name));
  return {
    interfaces: interfaces.filter((nic) => !names.has(nic.name)),
    networks: networks.filter((network) => !names.has(network.name)),
  };
}

/** Takes out of the template what is absent and no longer reported. */
function planTemplate(vm: Vm, reported: readonly VmiInterface[]): Write | undefined {
  const { spec } = vm.spec.template;
  const before = { interfaces: spec.domain.devices.interfaces ?? [], networks: spec.networks ?? [] };
  const left = withoutDetached(before, reported);
  if (left.interfaces.length === before.interfaces.length) return undefined;
  const devices = { ...spec.domain.devices, interfaces: left.interfaces };
  const next = { ...spec, domain: { ...spec.domain, devices }, networks: left.networks };
  const template = { ...vm.spec.template, spec: next };
  return { verb: 'update', kind: 'VirtualMachine', object: { ...vm, spec: { ...vm.spec, template } } };
}

/** Other changes to NICs of a running VM wait for its restart, and the VM says so until then. */
function planRestartMark(vm: Vm, vmi: Vmi, { now }: Context): Write | undefined {
  const { conditions = [] } = vm.status ?? {};
  if (findCondition(conditions, 'RestartRequired') !== undefined) return undefined;
  if (!isRestartNeeded(vm.spec.template.spec, vmi.spec)) return undefined;
  const times = { lastProbeTime: null, lastTransitionTime: now };
  const mark: Condition = { type: 'RestartRequired', status: 'True', message: RESTART, ...times };
  return {
    verb: 'status',
    kind: 'VirtualMachine',
    object: { ...vm, status: { ...vm.status, conditions: [...conditions, mark] } },
  };
}

/** True when a NIC of the running VMI differs from the template's in more than its state, or has left the template. */
function isRestartNeeded(template: VmiSpec, running: VmiSpec): boolean {
  const nics = new Map((template.domain.devices.interfaces ?? []).map((nic) => [nic.name, nic]));
  const networks = new Map((template.networks ?? []).map((network) => [network.name, network]));
  // A template without any NIC gets the default one, which only the VMI shows.
  if (nics.size === 0 && networks.size === 0) return false;
  const changedNic = (running.domain.devices.interfaces ?? []).some(
    (nic) => nic.state !== 'absent' && !isSame(stateless(nic), stateless(nics.get(nic.name))),
  );
  const changedNetwork = (running.networks ?? []).some((network) => {
    const wanted = networks.get(network.name);
    return wanted !== undefined && !isSame(network, wanted);
  });
  return changedNic || changedNetwork;
}

function stateless(nic: Interface | undefined): object {
  const { state: _, ...rest } = nic ?? { name: '' };
  return rest;
}
