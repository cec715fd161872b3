import type { LogicalPort } from '../../../../api/types.gen.ts';
import type { ConntrackEntry } from '../../../../netlink/conntrack-entry.ts';
import type { TravellingNeighbour } from '../../../../netlink/neighbour-travel.ts';
import type { JournalEntry } from '../../journal.ts';

export const PORT_IP = '10.16.0.5';
export const GUEST_IP = '10.0.2.2';
export const REMOTE_IP = '192.0.2.7';

type Attachment = NonNullable<LogicalPort['spec']['attachments']>[number];

/** A launcher's attachment; its pod is named for its UID. */
export function formatAttachment(podUID: string, node: string, role: 'Source' | 'Target'): Attachment {
  return { podName: `virt-launcher-${podUID}`, podUID, node, interface: 'eth0', role };
}

/** A masquerade port that moves from launcher `s` on node a to launcher `t` on node b, unless told otherwise. */
export function formatPort(uid: string, spec: Partial<LogicalPort['spec']> = {}): LogicalPort {
  const attachments = [formatAttachment('s', 'a', 'Source'), formatAttachment('t', 'b', 'Target')];
  return {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'LogicalPort',
    metadata: { name: `${uid}.default.vm`, namespace: 'shop', uid },
    spec: {
      owner: { kind: 'VirtualMachine', name: uid, uid: `vm-${uid}` },
      nic: 'default',
      subnet: 'default',
      ips: [PORT_IP],
      mac: '02:00:0a:10:00:05',
      binding: 'masquerade',
      attachments,
      ...spec,
    },
  };
}

/** What the node of launcher `podUid` remembers of it. */
export function formatJournal(podUid: string, netns: string, more: Partial<JournalEntry> = {}): JournalEntry {
  const pod = { namespace: 'shop', name: `virt-launcher-${podUid}`, uid: podUid };
  const names = { containerId: `c-${podUid}`, ifname: 'eth0', network: 'mooring', hostInterface: 'm0', ifaceId: 'x' };
  return { ...names, state: 'attached', netns, pod, gate: false, ...more };
}

/** An established session that the guest has begun, as its launcher translates it. */
export function formatFlow(port: number, more: Partial<ConntrackEntry> = {}): ConntrackEntry {
  const remote = { address: REMOTE_IP, port: 443 };
  return {
    family: 4,
    protocol: 6,
    original: { source: GUEST_IP, destination: remote.address, sourcePort: port, destinationPort: remote.port },
    reply: { source: remote.address, destination: PORT_IP, sourcePort: remote.port, destinationPort: port },
    status: 0xe,
    timeoutSeconds: 300,
    tcp: { state: 3, windowScaleOriginal: 7, windowScaleReply: 7, flagsOriginal: 3, flagsReply: 3 },
    ...more,
  };
}

/** The guest, as its launcher's kernel knows it. */
export function formatNeighbour(more: Partial<TravellingNeighbour> = {}): TravellingNeighbour {
  return { link: 'guest', ip: GUEST_IP, mac: '02:00:0a:10:00:05', ...more };
}
