import type { OvsClient } from './database.ts';
import { type Open_vSwitchRow, VSWITCH } from './schema/vswitch.gen.ts';

/** What ovn-controller reads about its node from the Open_vSwitch row (ovn-controller(8)). */
export type NodeSettings = {
  /** The chassis name. */
  readonly systemId: string | undefined;
  readonly hostname: string | undefined;
  /** Remotes of the Southbound database. */
  readonly ovnRemote: string | undefined;
  readonly encapTypes: readonly string[];
  readonly encapIps: readonly string[];
  /** `system` for the kernel's datapath, `netdev` for the one in user space. */
  readonly datapathType: string;
  readonly ovsVersion: string | undefined;
};

/** The node's settings; undefined while the database holds no Open_vSwitch row. */
export function findNodeSettings(ovs: OvsClient): NodeSettings | undefined {
  const row: Open_vSwitchRow | undefined = ovs.rows(VSWITCH.Open_vSwitch).values().next().value;
  if (row === undefined) return undefined;
  const ids = row.external_ids;
  return {
    systemId: ids.get('system-id'),
    hostname: ids.get('hostname'),
    ovnRemote: ids.get('ovn-remote'),
    encapTypes: split(ids.get('ovn-encap-type')),
    encapIps: split(ids.get('ovn-encap-ip')),
    datapathType: ids.get('ovn-bridge-datapath-type') ?? 'system',
    ovsVersion: row.ovs_version,
  };
}

function split(text: string | undefined): string[] {
  return (text ?? '').split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
}
