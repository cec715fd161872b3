import { fromCode } from './errors.ts';

const MAX_NAME = 15;

/**
 * Says whether the kernel would take this interface name (dev_valid_name in net/core/dev.c): 1 to 15 bytes, no slash,
 * colon or white space, not `.` or `..`. We also refuse control characters and `%`, which the kernel would expand.
 */
export function isInterfaceName(name: string): boolean {
  if (name === '.' || name === '..' || name.length === 0 || Buffer.byteLength(name) > MAX_NAME) return false;
  return [...name].every((char) => char > ' ' && char !== '\x7f' && !'/:%'.includes(char)) && !/\s/u.test(name);
}

/** Returns the name, or throws EINVAL. */
export function parseInterfaceName(name: string): string {
  if (typeof name !== 'string' || !isInterfaceName(name)) {
    throw fromCode('EINVAL', `not an interface name: ${JSON.stringify(name)}`);
  }
  return name;
}

/** Returns the MTU, or throws EINVAL outside 68 (RFC 791) to 65535. */
export function parseMtu(mtu: number): number {
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > 65535) throw fromCode('EINVAL', `not an MTU: ${mtu}`);
  return mtu;
}
