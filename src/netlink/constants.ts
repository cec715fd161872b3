/** Numbers of linux/netlink.h, rtnetlink.h, if_link.h, if_addr.h, neighbour.h that we use. Same on every architecture. */
export const NLM = {
  request: 1,
  multi: 2,
  ack: 4,
  echo: 8,
  dumpInterrupted: 0x10,
  capped: 0x100,
  ackTlvs: 0x200,
} as const;
export const NLM_NEW = { replace: 0x100, exclusive: 0x200, create: 0x400 } as const;
export const NLM_DUMP = 0x300;
export const NLMSG = { noop: 1, error: 2, done: 3, overrun: 4 } as const;
export const NLA_NESTED = 0x8000;
export const NLA_TYPE_MASK = 0x3fff;
export const ERROR_ATTR = { message: 1, offset: 2 } as const;

export const RTM = {
  newLink: 16,
  delLink: 17,
  getLink: 18,
  setLink: 19,
  newAddress: 20,
  delAddress: 21,
  getAddress: 22,
  newRoute: 24,
  delRoute: 25,
  getRoute: 26,
  newNeighbour: 28,
  delNeighbour: 29,
  getNeighbour: 30,
} as const;

export const IFLA = {
  address: 1,
  ifname: 3,
  mtu: 4,
  link: 5,
  master: 10,
  operState: 16,
  linkInfo: 18,
  ifAlias: 20,
  afSpec: 26,
  netNsFd: 28,
  linkNetnsId: 37,
} as const;
export const IFLA_INFO = { kind: 1, data: 2 } as const;
export const VETH_INFO_PEER = 1;
export const IFLA_INET6_ADDR_GEN_MODE = 8;

export const IFA = { address: 1, local: 2, broadcast: 4, flags: 8 } as const;
export const IFA_F = { noDad: 0x02, dadFailed: 0x08, tentative: 0x40 } as const;
export const RTA = { dst: 1, oif: 4, gateway: 5, priority: 6, prefSrc: 7, table: 15 } as const;
export const RTNH_F_ONLINK = 4;
export const RT = {
  tableMain: 254,
  protocolStatic: 4,
  /** Learnt from a router advertisement. */
  protocolRa: 9,
  /** Ours on the node: a number that rt_protos(5) gives to nobody. */
  protocolMooring: 109,
  scopeUniverse: 0,
  scopeLink: 253,
  typeUnicast: 1,
} as const;
export const NDA = { dst: 1, lladdr: 2 } as const;
export const NUD = {
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} as const;

export const IFF = { up: 1, running: 0x40 } as const;
export const AF = { unspec: 0, inet: 2, inet6: 10, netlink: 16, packet: 17 } as const;

/** linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h: messages of the subsystem ctnetlink. */
export const CTNL = { new: 0x100, get: 0x101, delete: 0x102 } as const;
export const CTA = {
  tupleOriginal: 1,
  tupleReply: 2,
  status: 3,
  protoInfo: 4,
  natSource: 6,
  timeout: 7,
  mark: 8,
  natDestination: 13,
  zone: 18,
} as const;
export const CTA_TUPLE = { ip: 1, proto: 2 } as const;
export const CTA_IP = { v4Source: 1, v4Destination: 2, v6Source: 3, v6Destination: 4 } as const;
export const CTA_PROTO = {
  number: 1,
  sourcePort: 2,
  destinationPort: 3,
  icmpId: 4,
  icmpType: 5,
  icmpCode: 6,
  icmpv6Id: 7,
  icmpv6Type: 8,
  icmpv6Code: 9,
} as const;
export const CTA_PROTOINFO_TCP = 1;
export const CTA_TCP = {
  state: 1,
  windowScaleOriginal: 2,
  windowScaleReply: 3,
  flagsOriginal: 4,
  flagsReply: 5,
} as const;
export const CTA_NAT = { v4Least: 1, v4Most: 2, proto: 3, v6Least: 4, v6Most: 5 } as const;
export const CTA_PROTONAT = { portLeast: 1, portMost: 2 } as const;
