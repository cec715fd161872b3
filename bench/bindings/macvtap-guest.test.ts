import { describe, expect, it } from 'vitest';
import { deriveMacvtapArguments } from './macvtap-guest.ts';

const options = { image: { kernel: '/k', initrd: '/i', release: 'r' }, dir: '/d', netns: '/n', name: 'g' };

describe('a guest on macvtap', () => {
  const words = deriveMacvtapArguments(options, '0a:62:00:00:00:10');
  const valuesOf = (flag: string): string[] =>
    words.flatMap((word, at) => (word === flag ? [words[at + 1] ?? ''] : []));

  it('has one NIC, which is the open descriptor', () => {
    expect(valuesOf('-netdev')).toEqual(['tap,id=net0,fd=3,vhost=off']);
  });

  it("has the link's own MAC, in a port that the machine has, and offers no offload", () => {
    const [device = ''] = valuesOf('-device').filter((one) => one.startsWith('virtio-net-pci'));
    const parts = device.split(',');
    expect(parts).toEqual(expect.arrayContaining(['mac=0a:62:00:00:00:10', 'bus=port0', 'gso=off', 'guest_csum=off']));
    expect(valuesOf('-device').some((one) => one.includes('id=port0'))).toBe(true);
  });

  it('is otherwise the machine that all guests of the lab have', () => {
    expect(valuesOf('-machine')).toEqual(['q35']);
    expect(valuesOf('-accel')).toEqual(['tcg,thread=single']);
    expect(valuesOf('-kernel')).toEqual(['/k']);
  });
});
