import { describe, expect, it } from 'vitest';
import { type Cidr, containsAddress, formatCidr, parseCidr } from '../api/address.ts';
import { everything, subtractCidrs } from './cidrs.ts';

function read(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw new Error(text);
  return { family: cidr.family, network: cidr.network, prefix: cidr.prefix };
}
const subtract = (block: string, ...except: string[]) => subtractCidrs(read(block), except.map(read)).map(formatCidr);

describe('a network without parts of it', () => {
  it.each<[string, string, string[], string[]]>([
    ['nothing taken away', '10.0.0.0/8', [], ['10.0.0.0/8']],
    ['what is elsewhere', '10.0.0.0/8', ['11.0.0.0/8', 'fd00::/8'], ['10.0.0.0/8']],
    ['all of it', '10.0.0.0/8', ['10.0.0.0/8'], []],
    ['more than it', '10.1.0.0/16', ['10.0.0.0/8'], []],
    ['its first half', '10.0.0.0/8', ['10.0.0.0/9'], ['10.128.0.0/9']],
    ['a quarter in the middle', '10.0.0.0/30', ['10.0.0.1/32'], ['10.0.0.0/32', '10.0.0.2/31']],
    ['parts that contain each other', '10.0.0.0/30', ['10.0.0.0/31', '10.0.0.1/32'], ['10.0.0.2/31']],
    ['IPv6', 'fd00::/126', ['fd00::3/128'], ['fd00::/127', 'fd00::2/128']],
  ])('%s', (_what, block, except, left) => {
    expect(subtract(block, ...except)).toEqual(left);
  });

  it('has as many pieces as the exception has bits, not more', () => {
    expect(subtractCidrs(everything(4), [read('192.0.2.9/32')])).toHaveLength(32);
    expect(subtractCidrs(everything(6), [read('2001:db8::9/128')])).toHaveLength(128);
  });

  it('has every address of the network that is in no exception, once, and no other', () => {
    const except = ['10.0.0.7/32', '10.0.0.64/27', '10.0.0.80/28', '10.0.0.255/32'].map(read);
    const left = subtractCidrs(read('10.0.0.0/24'), except);
    for (let last = 0n; last < 256n; last += 1n) {
      const address = { family: 4 as const, value: 0x0a000000n + last };
      const wanted = except.some((one) => containsAddress(one, address)) ? 0 : 1;
      expect(left.filter((one) => containsAddress(one, address))).toHaveLength(wanted);
    }
  });
});
