import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseVmi } from './vmi.ts';

const parse = (value: unknown) => parseVmi(Buffer.from(JSON.stringify(value)));
const withInterfaces = (interfaces: unknown, networks: unknown = []) =>
  parse({ spec: { domain: { devices: { interfaces } }, networks } })?.nics;

describe('parseVmi', () => {
  it('reads annotations and NICs, in the order of the spec', () => {
    const facts = parse({
      metadata: { annotations: { a: 'b' } },
      spec: {
        domain: {
          devices: {
            interfaces: [
              { name: 'default', masquerade: {}, macAddress: '02:00:5E:00:00:01' },
              { name: 'other', bridge: {}, state: 'up' },
              { name: 'p', passtBinding: {} },
            ],
          },
        },
        networks: [
          { name: 'other', multus: { networkName: 'n' } },
          { name: 'default', pod: {} },
        ],
      },
    });
    expect(facts).toEqual({
      annotations: new Map([['a', 'b']]),
      nics: [
        { name: 'default', mac: '02:00:5e:00:00:01', translated: true, primary: true },
        { name: 'other', translated: false, primary: false },
        { name: 'p', translated: true, primary: false },
      ],
    });
  });

  it('a MAC with dashes, which KubeVirt takes, is one; what is none is not known', () => {
    const macs = ['02-00-5E-00-00-01', '02:00:5e:00:00', 'ff:ff:ff:ff:ff:ff', 7, null];
    const nics = withInterfaces(macs.map((macAddress, n) => ({ name: `n${n}`, macAddress })));
    expect(nics?.map(({ mac }) => mac)).toEqual(['02:00:5e:00:00:01', undefined, undefined, undefined, undefined]);
  });

  it('a NIC that is to be absent is none', () => {
    expect(
      withInterfaces([
        { name: 'a', state: 'absent' },
        { name: 'b', state: 'down' },
      ]),
    ).toMatchObject([{ name: 'b' }]);
  });

  it('what has another form counts as not there', () => {
    expect(withInterfaces([null, 7, [], { name: 7 }, {}], [null, { pod: {} }])).toEqual([]);
    expect(withInterfaces('x', 'y')).toEqual([]);
    expect(parse({ metadata: { annotations: { a: 1, b: 'x', c: null } } })?.annotations).toEqual(new Map([['b', 'x']]));
  });

  it('names that every object inherits are names like others', () => {
    const json = '{"metadata":{"annotations":{"__proto__":"a","constructor":"b"}}}';
    const annotations = parseVmi(Buffer.from(json))?.annotations;
    expect([...(annotations ?? [])]).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
    expect(parse({})?.annotations.get('toString')).toBeUndefined();
  });

  it('reads the part of a larger buffer that it is given', () => {
    const whole = Buffer.from('xx{"metadata":{"annotations":{"a":"b"}}}yy');
    expect(parseVmi(whole.subarray(2, -2))?.annotations.get('a')).toBe('b');
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.jsonValue(), (bytes, value) => {
        parseVmi(bytes);
        expect(withInterfaces(value, [value])).toBeInstanceOf(Array);
      }),
      { numRuns: 50 },
    );
  });
});
