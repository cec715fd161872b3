import { AF } from './constants.ts';
import { closeFd, findAddress, ioctlBuffer, openSocket, SOCK_DGRAM } from './libc.ts';
import { parseInterfaceName } from './names.ts';

/** Offloads that can be switched by the old ethtool commands (linux/ethtool.h). */
export type Offload = 'txChecksum' | 'scatterGather' | 'tso' | 'gso';

const SIOCETHTOOL = 0x8946;
const SET: Record<Offload, number> = { txChecksum: 0x17, scatterGather: 0x19, tso: 0x1f, gso: 0x24 };
const GET: Record<Offload, number> = { txChecksum: 0x16, scatterGather: 0x18, tso: 0x1e, gso: 0x23 };
const IFREQ = 40;

/** Switches an offload of an interface in the calling thread's namespace. Throws ENODEV, EOPNOTSUPP. */
export function setOffload(name: string, offload: Offload, on: boolean): void {
  exchange(name, SET[offload], on ? 1 : 0);
}

/** Reads an offload. Throws ENODEV. */
export function getOffload(name: string, offload: Offload): boolean {
  return exchange(name, GET[offload], 0) !== 0;
}

/** struct ethtool_value behind struct ifreq: the command and one 32-bit word, which the kernel may overwrite. */
function exchange(name: string, command: number, data: number): number {
  const value = Buffer.alloc(8);
  value.writeUInt32LE(command, 0);
  value.writeUInt32LE(data, 4);
  const request = Buffer.alloc(IFREQ);
  request.write(parseInterfaceName(name), 0);
  request.writeBigUInt64LE(findAddress(value), 16);
  const fd = openSocket(AF.inet, SOCK_DGRAM, 0);
  try {
    ioctlBuffer(fd, SIOCETHTOOL, request);
  } finally {
    closeFd(fd);
  }
  return value.readUInt32LE(4);
}
