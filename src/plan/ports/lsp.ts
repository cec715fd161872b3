import { isOpenedByOvn } from '../../api/activation.ts';
import { parseAddress } from '../../api/address.ts';
import { formatPortLsp, formatSwitchName, LANDED_OPTION } from '../../api/names.ts';
import { formatExternalIds, formatOwner } from '../../api/owner.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { MigrationState } from '../../migration/input.ts';
import type { WantedPort } from '../../ovn/wanted.ts';
import { formatDhcpRow, type SubnetPlan } from '../networks/subnet.ts';
import type { Settings } from '../settings.ts';

/** The owner, in our rows, of what a LogicalPort wants. */
export function formatPortOwner({ metadata }: Pick<LogicalPort, 'metadata'>): string {
  return formatOwner({ kind: 'LogicalPort', namespace: metadata.namespace ?? '', name: metadata.name });
}

/** Only until the guest has moved: from then on it would silence the chassis that is left behind, or the only one. */
function listStrategies(
  binding: LogicalPort['spec']['binding'],
  { requestedChassis, node, target }: MigrationState,
  { activation }: Settings,
): [string, string][] {
  const isMoving = requestedChassis.length > 1 && node !== target;
  return isMoving && isOpenedByOvn(activation, binding) ? [['activation-strategy', 'rarp']] : [];
}

/**
 * The switch port of a LogicalPort. `requested-chassis` is always set, so that a node that comes back cannot take the
 * port; `iface-id-ver` lets only an interface that was made for this very LogicalPort be bound (ovn-nb(5)).
 */
export function planLsp(port: LogicalPort, subnet: SubnetPlan, state: MigrationState, settings: Settings): WantedPort {
  const { metadata, spec } = port;
  const uid = metadata.uid ?? '';
  const address = [spec.mac, ...spec.ips].join(' ');
  const owner = { kind: 'LogicalPort', namespace: metadata.namespace ?? '', name: metadata.name, uid };
  // By the port's own addresses: a subnet that cannot be used at the moment has no ranges, but its rows stay.
  const hasFamily = (family: 4 | 6) => subnet.dhcp && spec.ips.some((ip) => parseAddress(ip)?.family === family);
  const isLeft = spec.binding === 'bridge' && subnet.leavesBridge;
  return {
    switch: formatSwitchName(spec.subnet),
    name: formatPortLsp(port),
    type: '',
    addresses: [address],
    portSecurity: [address],
    options: new Map([
      ['requested-chassis', state.requestedChassis.join(',')],
      ['iface-id-ver', uid],
      ...listStrategies(spec.binding, state, settings),
      ...(state.landed === undefined ? [] : [[LANDED_OPTION, state.landed] as const]),
    ]),
    ...(hasFamily(4) && !isLeft ? { dhcpv4: formatDhcpRow(spec.subnet, 4) } : {}),
    ...(hasFamily(6) ? { dhcpv6: formatDhcpRow(spec.subnet, 6) } : {}),
    externalIds: formatExternalIds(settings.cluster, owner),
  };
}
