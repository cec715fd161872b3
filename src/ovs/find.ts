import type { Row } from '../ovsdb/values.ts';
import type { Ids, OvsClient } from './database.ts';
import { KIND, OVN_INSTALLED, POD_INTERFACE } from './keys.ts';
import { type InterfaceRow, VSWITCH } from './schema/vswitch.gen.ts';

/** An interface as the database shows it. */
export type OvsInterface = {
  readonly name: string;
  readonly externalIds: Ids;
  /** Number in the bridge; undefined until ovs-vswitchd has taken the port, -1 when it could not. */
  readonly ofport: number | undefined;
  /** The kernel's index of the device; a new one after ovs-vswitchd has made the device anew. */
  readonly ifIndex: number | undefined;
  /** What ovs-vswitchd could not do, in its own words. */
  readonly error: string | undefined;
  /** ovn-controller has installed the flows of the logical port. */
  readonly installed: boolean;
};

/** The interface of this name, whoever made it. */
export function findInterface(ovs: Pick<OvsClient, 'indexes'>, name: string): OvsInterface | undefined {
  return format(ovs.indexes.interfaces.get(name))[0];
}

/** Interfaces of a sandbox; with `podInterface` only the one that has this name inside it. */
export function findPortsBySandbox(ovs: OvsClient, sandbox: string, podInterface?: string): OvsInterface[] {
  return listOurs(ovs.indexes.bySandbox.get(sandbox)).filter(
    ({ externalIds }) => podInterface === undefined || externalIds.get(POD_INTERFACE) === podInterface,
  );
}

/** Interfaces that claim a logical port on this node; more than one only while an older sandbox is on its way out. */
export function findByIfaceId(ovs: OvsClient, ifaceId: string): OvsInterface[] {
  return format(ovs.indexes.byIfaceId.get(ifaceId));
}

/** Every interface that Mooring made on this node. */
export function listOurPorts(ovs: OvsClient): OvsInterface[] {
  return listOurs([...ovs.rows(VSWITCH.Interface).values()]);
}

/**
 * Whom this node must reach for OVN to work: the ends of its tunnels, one per other chassis, and where the Southbound
 * database is (ovn-controller(8): `ovn-remote`). Addresses as they are written there; a host name stays one.
 */
export function listPeers(ovs: Pick<OvsClient, 'rows'>): string[] {
  const tunnels = [...ovs.rows(VSWITCH.Interface).values()].map((row) => row.options.get('remote_ip'));
  const remotes = [...ovs.rows(VSWITCH.Open_vSwitch).values()].flatMap((row) =>
    (row.external_ids.get('ovn-remote') ?? '').split(','),
  );
  const hosts = remotes.map((remote) => /^(?:tcp|ssl):\[?([^\]]+?)\]?:\d+$/.exec(remote.trim())?.[1]);
  return [...new Set([...tunnels, ...hosts].filter((host) => host !== undefined))];
}

/** Has ovn-controller installed the flows of this interface's logical port? */
export function isInstalled(ovs: OvsClient, name: string): boolean {
  return findInterface(ovs, name)?.installed === true;
}

function listOurs(rows: readonly Row[]): OvsInterface[] {
  return format(rows).filter(({ externalIds }) => externalIds.has(KIND));
}

function format(rows: readonly Row[]): OvsInterface[] {
  return (rows as readonly InterfaceRow[]).map((row) => ({
    name: row.name,
    externalIds: row.external_ids,
    ofport: row.ofport === undefined ? undefined : Number(row.ofport),
    ifIndex: row.ifindex === undefined ? undefined : Number(row.ifindex),
    error: row.error,
    installed: row.external_ids.get(OVN_INSTALLED) === 'true',
  }));
}
