import { describe, expect, it } from 'vitest';
import { parseNicDevices } from './nic-devices.ts';

const parse = (value: unknown) => {
  const { devices, problems } = parseNicDevices(typeof value === 'string' ? value : JSON.stringify(value));
  return { devices: Object.fromEntries(devices), problems };
};

describe('parseNicDevices', () => {
  it('reads all keys of several NICs', () => {
    const value = { default: { mtu: 1400, queues: 4, link: 'down', model: 'e1000' }, 'net.1-b_2': { link: 'up' } };
    expect(parse(value)).toEqual({ devices: value, problems: [] });
  });

  it.each<[string, unknown]>([
    ['mtu', 575],
    ['mtu', 65_536],
    ['mtu', 1400.5],
    ['mtu', '1400'],
    ['queues', 0],
    ['queues', 257],
    ['link', 'DOWN'],
    ['link', true],
    ['model', 'ne2k_pci"/><hostdev/>'],
    ['model', 'constructor'],
    ['model', ['virtio']],
  ])('a value of %s that is %j counts as not given, the others stand', (key, value) => {
    const others = key === 'mtu' ? { queues: 2 } : { mtu: 1000 };
    expect(parse({ nic: { ...others, [key]: value } })).toEqual({
      devices: { nic: others },
      problems: [`mooring.dev/nic-devices: nic: the value of ${key} is not valid`],
    });
  });

  it('a key that is not known is told, without its text', () => {
    expect(parse({ nic: { Mtu: 1400, link: 'up' } })).toEqual({
      devices: { nic: { link: 'up' } },
      problems: ['mooring.dev/nic-devices: nic: a key is not one of mtu, queues, link, model'],
    });
  });

  it.each<[string, unknown, string]>([
    ['no JSON', '{', 'is not a JSON object'],
    ['a list', [], 'is not a JSON object'],
    ['null', null, 'is not a JSON object'],
    ['too long', `{"a":"${'x'.repeat(20_000)}"}`, 'is longer than 16384 characters'],
    [
      'too many NICs',
      Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`n${n}`, {}])),
      'names more than 64 NICs',
    ],
  ])('%s: nothing is asked for', (_cause, value, problem) => {
    expect(parse(value)).toEqual({ devices: {}, problems: [`mooring.dev/nic-devices ${problem}`] });
  });

  it.each<[string, string]>([
    ['no name', '{"": {"mtu": 1000}, "a": {"mtu": 1000}}'],
    ['a name with a quote', '{"a\\"b": {"mtu": 1000}, "a": {"mtu": 1000}}'],
    ['a name that is none of a NIC', '{"__proto__": {"mtu": 1000}, "a": {"mtu": 1000}}'],
    ['an entry that is no object', '{"b": 1000, "a": {"mtu": 1000}}'],
  ])('%s is left out', (_cause, text) => {
    const parsed = parseNicDevices(text);
    expect([...parsed.devices]).toEqual([['a', { mtu: 1000 }]]);
    expect(parsed.problems).toEqual(["mooring.dev/nic-devices: an entry is not a NIC's name with an object"]);
  });
});
