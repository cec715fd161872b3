import type { OvsClient } from '../../ovs/database.ts';
import { findByIfaceId, findInterface, listOurPorts, listPeers, type OvsInterface } from '../../ovs/find.ts';
import {
  ATTACHED_MAC,
  IFACE_ID,
  IFACE_ID_VER,
  IP_ADDRESS,
  KIND,
  POD_INTERFACE,
  POD_NAME,
  POD_NAMESPACE,
  POD_UID,
  SANDBOX,
} from '../../ovs/keys.ts';
import { deletePortOps, ensurePortOps } from '../../ovs/ports.ts';
import type { Operation } from '../../ovsdb/operations.ts';
import { CniError } from './errors.ts';
import type { OvsPort, Ports, WantedNodePort, WantedPort } from './ports.ts';

export type OvsPortsOptions = { readonly ovs: OvsClient; readonly bridge: string };

/**
 * The node's ports over the local database. A transaction is never cut off by a caller's signal: that would close the
 * connection that all calls share. It has the client's own timeout, and the caller looks at its signal afterwards.
 */
export function createOvsPorts({ ovs, bridge }: OvsPortsOptions): Ports {
  const commit = async (plan: () => readonly Operation[], signal?: AbortSignal): Promise<void> => {
    await ovs.client.whenLive(signal ?? AbortSignal.timeout(OFFLINE_MS));
    const operations = plan();
    if (operations.length === 0) return;
    const results = await ovs.client.transactAndSync(operations);
    const missed = operations.findIndex((operation, index) => isMissed(operation, results[index]?.count));
    if (missed !== -1) throw new CniError('tryAgain', 'the OVS database changed under the transaction');
  };
  const isPod = (port: OvsInterface) => port.externalIds.get(KIND) === 'pod';
  return {
    isLive: () => ovs.client.state === 'live',
    findBridge: () => {
      const row = ovs.indexes.bridges.get(bridge)[0];
      return row === undefined
        ? undefined
        : { datapath: typeof row.datapath_type === 'string' ? row.datapath_type : '' };
    },
    list: () => listOurPorts(ovs).filter(isPod).map(describe),
    find: (name) => {
      const found = findInterface(ovs, name);
      return found === undefined ? undefined : describe(found);
    },
    listPeers: () => listPeers(ovs),
    onChange: (listener) => onEither(ovs, listener),
    ensurePod: async (port, signal) => {
      let evicted: string[] = [];
      await commit(() => {
        evicted = findByIfaceId(ovs, port.ifaceId)
          .map(({ name }) => name)
          .filter((name) => name !== port.name);
        return ensurePortOps(ovs, planPod(bridge, port));
      }, signal);
      return evicted;
    },
    ensureNode: (ports, signal) =>
      commit(() => ports.flatMap((port) => ensurePortOps(ovs, planNode(bridge, port))), signal),
    remove: (names, signal) => commit(() => names.flatMap((name) => deletePortOps(ovs, name)), signal),
  };
}

/** How long a removal without deadline waits for a lost connection. */
const OFFLINE_MS = 5000;

/** A mutate or update that met no row is a success for the server and a failure for us. */
function isMissed(operation: Operation, count: number | undefined): boolean {
  return (operation.op === 'mutate' || operation.op === 'update') && count === 0;
}

function onEither(ovs: OvsClient, listener: () => void): () => void {
  const ends = [ovs.client.onChange(listener), ovs.client.onState(listener)];
  return () => {
    for (const end of ends) end();
  };
}

function describe(port: OvsInterface): OvsPort {
  const { externalIds: ids, name, installed, error, ifIndex } = port;
  const text = (key: string): string => ids.get(key) ?? '';
  return {
    name,
    ifaceId: text(IFACE_ID),
    ifaceIdVer: text(IFACE_ID_VER),
    containerId: text(SANDBOX),
    ifname: text(POD_INTERFACE),
    pod: { namespace: text(POD_NAMESPACE), name: text(POD_NAME), uid: text(POD_UID) },
    installed,
    error: port.ofport === -1 ? (error ?? 'no reason given') : undefined,
    ifIndex: ifIndex !== undefined && ifIndex > 0 ? ifIndex : undefined,
    ofport: port.ofport !== undefined && port.ofport > 0 ? port.ofport : undefined,
  };
}

function planPod(bridge: string, port: WantedPort) {
  const externalIds = new Map([
    [IFACE_ID, port.ifaceId],
    [IFACE_ID_VER, port.ifaceIdVer],
    [SANDBOX, port.containerId],
    [POD_INTERFACE, port.ifname],
    [POD_NAMESPACE, port.pod.namespace],
    [POD_NAME, port.pod.name],
    [POD_UID, port.pod.uid],
    [ATTACHED_MAC, port.mac],
    [IP_ADDRESS, port.ips.join(',')],
  ]);
  return { bridge, name: port.name, kind: 'pod', externalIds } as const;
}

function planNode(bridge: string, port: WantedNodePort) {
  const { name, mac, mtu, ifaceId } = port;
  const externalIds = new Map([[IFACE_ID, ifaceId]]);
  return { bridge, name, kind: 'node', type: 'internal', mac, mtuRequest: mtu, externalIds, transient: true } as const;
}
