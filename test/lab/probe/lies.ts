import {
  BROADCAST,
  deriveLinkLocal,
  formatAdvertisement,
  formatArp,
  formatDhcpOffer,
  formatNeighbour,
  formatUdp,
  formatUdp6,
  type Ports,
  type Station,
} from './frames.ts';

/** Who lies, whose name is used, and who watches what comes; all on one subnet, with its gateway's IPv4 address. */
export type Scene = {
  readonly forger: Station;
  readonly victim: Station;
  readonly watcher: Station;
  readonly gateway: string;
};

/** Of frames that may be sent, and of those that only their addresses forbid. */
export const HONEST: Ports = { source: 999, target: 4242 };
/** What a router that is none calls the prefix of the link. */
export const FALSE_PREFIX = 'fd66::';

/** What is forged, the cause under which it is counted, and the frames. */
export type Lie = readonly [what: string, cause: string, make: (scene: Scene) => string[]];

/** A router or DHCPv6 server speaks from its link-local address, which is the forger's own. */
const inOwnName = ({ forger }: Scene): Station => ({ ...forger, ip6: deriveLinkLocal(forger.mac) });

/** Everything that no pod or guest may send, in frames of each form. */
export const LIES: readonly Lie[] = [
  [
    "another port's MAC",
    'foreign',
    ({ forger, victim, watcher }) => [formatUdp({ from: { ...forger, mac: victim.mac }, to: watcher }, HONEST)],
  ],
  [
    "another port's IPv4 address",
    'foreign',
    ({ forger, victim, watcher }) => [formatUdp({ from: { ...forger, ip: victim.ip }, to: watcher }, HONEST)],
  ],
  [
    "another port's IPv6 address",
    'foreign',
    ({ forger, victim, watcher }) => [formatUdp6({ from: { ...forger, ip6: victim.ip6 }, to: watcher }, HONEST)],
  ],
  [
    'an ARP answer for somebody else, and one for the gateway to everybody',
    'foreign',
    ({ forger, victim, watcher, gateway }) => [
      formatArp({ ...forger, ip: victim.ip }, watcher),
      formatArp({ ...forger, ip: gateway }, { mac: BROADCAST, ip: gateway }),
    ],
  ],
  [
    'neighbour advertisements for somebody else',
    'foreign',
    ({ forger, victim, watcher }) => [
      formatNeighbour(forger, victim.ip6, watcher),
      formatNeighbour(forger, victim.ip6),
    ],
  ],
  [
    'an offer as a DHCP server',
    'dhcpv4',
    ({ forger, victim, watcher }) => [formatDhcpOffer(forger, watcher, victim.ip)],
  ],
  [
    'an answer as a DHCPv6 server',
    'dhcpv6',
    (scene) => [formatUdp6({ from: inOwnName(scene), to: scene.watcher }, { source: 547, target: 546 })],
  ],
  [
    'advertisements as a router',
    'advertisement',
    (scene) => [
      formatAdvertisement(inOwnName(scene), FALSE_PREFIX),
      formatAdvertisement(inOwnName(scene), FALSE_PREFIX, scene.watcher),
    ],
  ],
];
