import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { findIpam } from './capabilities.ts';
import { CniError } from './errors.ts';
import { formatName } from './plan-network.ts';
import type { NetworkConfig } from './request.ts';

export type NetworkFacts = {
  readonly port: LogicalPort;
  readonly subnet: Subnet;
  /** `namespace/name` of the attachment's NetworkAttachmentDefinition; none for the cluster's own first interface. */
  readonly nad: string | undefined;
};

/**
 * A configuration comes from a NAD that a tenant may have written, and nothing in a call says which one. So it can only
 * repeat what the operator has found in the API: who makes the interface, and the attachment's own NAD. Throws CniError
 * `mismatch`.
 */
export function checkNetwork(config: NetworkConfig, facts: NetworkFacts): void {
  checkMaker(config, facts);
  checkProvider(config, facts);
}

function checkMaker(config: NetworkConfig, { port, subnet, nad }: NetworkFacts): void {
  const provider = formatProvider(nad);
  const foreign = port.spec.ipamOnly === true || (provider !== undefined && subnet.spec.provider === provider);
  if (foreign === (findIpam(config) !== undefined)) return;
  const made = foreign ? "another plugin's interface" : 'an interface of Mooring';
  const asks = foreign ? 'makes the interface with Mooring' : 'has another plugin make it';
  const way = 'the NetworkAttachmentDefinition has changed since; delete the pod and let it be made again';
  const what = `LogicalPort ${formatName(port)} is for ${made}, but the network configuration ${asks}`;
  throw new CniError('mismatch', `${what}: ${way}`);
}

function checkProvider(config: NetworkConfig, { port, nad }: NetworkFacts): void {
  const ipam = findIpam(config);
  const given = (ipam ?? config.fields).get('provider') ?? '';
  const own = formatProvider(nad);
  // A NAD of ours that says `ovn` names none: the operator has found its network, which may be the cluster's own.
  const allowed = ipam === undefined ? [...(own === undefined ? [] : [`${own}.ovn`]), 'ovn'] : [own ?? ''];
  if (given === '' || allowed.some((name) => name === given)) return;
  const says = `"provider" of the network configuration is ${JSON.stringify(given).slice(0, 80)}`;
  const whose = `LogicalPort ${formatName(port)} is for ${nad ?? 'no NetworkAttachmentDefinition'}`;
  throw new CniError('mismatch', `${says}, but ${whose}: it must be ${allowed[0] || 'left out'}`);
}

/** `<nad>.<namespace>`, as Kube-OVN's key begins. */
function formatProvider(nad: string | undefined): string | undefined {
  const [namespace, name] = nad?.split('/') ?? [];
  return namespace === undefined || name === undefined ? undefined : `${name}.${namespace}`;
}
