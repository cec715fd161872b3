import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NIC_MODELS, type NicDevice } from '../../api/nic-devices.ts';
import { planDomain } from './devices.ts';
import { makeDomain, makeNic } from './testing/domain.ts';

const plan = (xml: string, devices: Record<string, NicDevice>) => planDomain(xml, new Map(Object.entries(devices)));

/** Lines that were there before and are gone, and lines that are new. */
function diff(before: string, after: string) {
  const [old, fresh] = [before.split('\n'), after.split('\n')];
  return {
    gone: old.filter((line) => !fresh.includes(line)).map((line) => line.trim()),
    came: fresh.filter((line) => !old.includes(line)).map((line) => line.trim()),
  };
}

describe('planDomain', () => {
  const one = makeDomain([makeNic('default')]);

  it.each<[string, string, NicDevice, { gone: string[]; came: string[] }]>([
    [
      'a smaller MTU takes the place of the link’s',
      one,
      { mtu: 1300 },
      { gone: ['<mtu size="1400"></mtu>'], came: ['<mtu size="1300"></mtu>'] },
    ],
    [
      'an MTU is new while KubeVirt knows none',
      makeDomain([makeNic('default', { mtu: 0 })]),
      { mtu: 1300 },
      { gone: [], came: ['<mtu size="1300"></mtu>'] },
    ],
    [
      'a link that is to be down gets the element',
      one,
      { link: 'down' },
      { gone: [], came: ['<link state="down"></link>'] },
    ],
    [
      'a link that is down is to be up',
      makeDomain([makeNic('default', { link: 'down' })]),
      { link: 'up' },
      { gone: ['<link state="down"></link>'], came: ['<link state="up"></link>'] },
    ],
    ['a link without the element is up already', one, { link: 'up' }, { gone: [], came: [] }],
    [
      'another model',
      one,
      { model: 'e1000e' },
      { gone: ['<model type="virtio-non-transitional"></model>'], came: ['<model type="e1000e"></model>'] },
    ],
    ['virtio is what KubeVirt’s kinds of virtio are', one, { model: 'virtio' }, { gone: [], came: [] }],
    [
      'virtio in place of another model',
      makeDomain([makeNic('default', { model: 'e1000' })]),
      { model: 'virtio' },
      { gone: ['<model type="e1000"></model>'], came: ['<model type="virtio"></model>'] },
    ],
    [
      'fewer queues',
      makeDomain([makeNic('default', { queues: 4 })]),
      { queues: 2 },
      { gone: ['<driver name="vhost" queues="4"></driver>'], came: ['<driver name="vhost" queues="2"></driver>'] },
    ],
  ])('%s', (_cause, xml, device, expected) => {
    const planned = plan(xml, { default: device });
    expect(diff(xml, planned.xml)).toEqual(expected);
    expect(planned.notes).toEqual([]);
  });

  it('a new element stands at the head of its NIC, indented as the others', () => {
    const { xml } = plan(one, { default: { link: 'down' } });
    expect(xml).toContain(
      '\t\t<interface type="ethernet">\n\t\t\t<link state="down"></link>\n\t\t\t<source></source>\n',
    );
  });

  it('changes the NIC that is named and no other, in one call for several NICs', () => {
    const xml = makeDomain([makeNic('a'), makeNic('b', { queues: 8 }), makeNic('a-b')]);
    const planned = plan(xml, { b: { mtu: 1000, link: 'down', queues: 3 }, 'a-b': { model: 'rtl8139' } });
    expect(planned.xml).toBe(
      xml
        .replace(
          makeNic('b', { queues: 8 }),
          makeNic('b', { queues: 3, mtu: 1000 }).replace('<source>', '<link state="down"></link>\n\t\t\t<source>'),
        )
        .replace(makeNic('a-b'), makeNic('a-b', { model: 'rtl8139' })),
    );
    expect(planned.notes).toEqual([]);
  });

  it.each<[string, string, NicDevice, string]>([
    ['more MTU than the link takes', one, { mtu: 1500 }, 'default: mtu 1500 is more than the 1400 bytes of the pod'],
    ['queues of a tap that has one', one, { queues: 2 }, 'default: queues 2 needs networkInterfaceMultiqueue'],
    [
      'more queues than there are',
      makeDomain([makeNic('default', { queues: 4 })]),
      { queues: 5 },
      'default: queues 5 is not from 2 to 4',
    ],
    [
      'one queue of a tap that has several',
      makeDomain([makeNic('default', { queues: 4 })]),
      { queues: 1 },
      'default: queues 1 is not from 2 to 4',
    ],
    [
      'a model of x86 on another machine',
      makeDomain([makeNic('default')], 'aarch64'),
      { model: 'e1000' },
      'default: model e1000 is not there on aarch64',
    ],
    [
      'a model for a device that has its place',
      makeDomain([makeNic('default', { more: '<address type="pci"></address>' })]),
      { model: 'e1000' },
      'default: model e1000: KubeVirt has placed the device already',
    ],
    [
      'a model without queues for a NIC that has several',
      makeDomain([makeNic('default', { queues: 4 })]),
      { model: 'e1000' },
      'default: model e1000 has no queues',
    ],
    [
      'an element that is there twice',
      makeDomain([makeNic('default', { more: '<mtu size="9"></mtu>' })]),
      { mtu: 1300 },
      'default: there are several elements mtu',
    ],
    ['a NIC that is not there', makeDomain([makeNic('other')]), { mtu: 1300 }, 'default: the domain has no such NIC'],
    [
      'a NIC that is there twice',
      makeDomain([makeNic('default'), makeNic('default')]),
      { mtu: 1300 },
      'default: the domain has several NICs of this name',
    ],
  ])('%s: nothing is changed, and told', (_cause, xml, device, note) => {
    const planned = plan(xml, { default: device });
    expect(planned.xml).toBe(xml);
    expect(planned.notes).toEqual([expect.stringContaining(note)]);
  });

  it('knows attributes in single quotes, with blanks, after a ">", and none at all', () => {
    const forms = [
      [`<mtu note='a > b' size = '1400'/>`, `<mtu note='a > b' size = '1300'/>`],
      ['<mtu/>', '<mtu size="1300"/>'],
      ['<mtu\n  size="1400"\n></mtu>', '<mtu\n  size="1300"\n></mtu>'],
      ['<mtu xsize="1" size="1400"></mtu>', '<mtu xsize="1" size="1300"></mtu>'],
    ];
    for (const [before = '', after = ''] of forms) {
      const xml = makeDomain([makeNic('default', { mtu: 0, more: before })]);
      expect(plan(xml, { default: { mtu: 1300 } }).xml).toBe(xml.replace(before, after));
    }
  });

  it('a text in CDATA or a comment that looks like a NIC is none', () => {
    const nic = makeNic('default');
    for (const hidden of [`<!--${nic}-->`, `<x><![CDATA[${nic}]]></x>`]) {
      const xml = makeDomain([hidden]);
      expect(plan(xml, { default: { mtu: 1300 } })).toEqual({ xml, notes: ['default: the domain has no such NIC'] });
    }
  });
});

/** Each run parses a document several times. */
const RUNS = { numRuns: 25 };

describe('planDomain of anything', () => {
  const device = fc.record(
    {
      mtu: fc.integer({ min: 576, max: 2000 }),
      queues: fc.integer({ min: 1, max: 8 }),
      link: fc.constantFrom('up' as const, 'down' as const),
      model: fc.constantFrom(...NIC_MODELS),
    },
    { requiredKeys: [] },
  );
  const nic = fc.record({
    mtu: fc.constantFrom(0, 1000, 1400),
    queues: fc.option(fc.integer({ min: 2, max: 8 }), { nil: undefined }),
    link: fc.option(fc.constantFrom('up', 'down'), { nil: undefined }),
    model: fc.constantFrom('virtio-transitional', 'e1000'),
  });
  const names = ['a', 'b', 'c'];
  const given = fc.tuple(
    fc.array(nic, { minLength: 3, maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...names, 'nobody'), device as fc.Arbitrary<NicDevice>),
  );
  const make = (nics: readonly object[]) =>
    makeDomain(nics.map((parts, index) => makeNic(names[index] ?? '', JSON.parse(JSON.stringify(parts)))));

  it('is the same when its own result comes in', () => {
    fc.assert(
      fc.property(given, ([nics, devices]) => {
        const once = plan(make(nics), devices);
        expect(plan(once.xml, devices)).toEqual(once);
      }),
      RUNS,
    );
  });

  it('keeps every line that is not of a NIC that is named', () => {
    fc.assert(
      fc.property(given, ([nics, devices]) => {
        const xml = make(nics);
        const { gone } = diff(xml, plan(xml, devices).xml);
        expect(gone.filter((line) => !/^<(mtu|link|model|driver) /.test(line))).toEqual([]);
      }),
      RUNS,
    );
  });

  it('never throws, and hands back what it cannot read', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat({ max: 400 }), fc.nat({ max: 20 }), (junk, at, length) => {
        const whole = makeDomain([makeNic('a')]);
        const broken = whole.slice(0, at * 3) + junk + whole.slice(at * 3 + length);
        const { xml, notes } = plan(broken, { a: { mtu: 1300 } });
        expect(xml === broken || notes.length === 0).toBe(true);
      }),
      RUNS,
    );
  });

  const lol = Array.from({ length: 9 }, (_, n) => `<!ENTITY l${n + 1} "${`&l${n};`.repeat(10)}">`).join('');
  it.each<[string, string]>([
    ['no text', ''],
    ['no XML', 'nonsense'],
    ['an element that is not closed', makeDomain([makeNic('a')]).replace('</domain>', '')],
    ['another root', '<pool></pool>'],
    ['two roots', `${makeDomain([makeNic('a')])}<domain></domain>`],
    ['entities that grow', `<!DOCTYPE d [<!ENTITY l0 "x">${lol}]>${makeDomain([makeNic('a')])}`],
    ['an entity of a file', `<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>${makeDomain([makeNic('a')])}`],
    ['carriage returns, which would move every place', makeDomain([makeNic('a')]).replaceAll('\n', '\r\n')],
    ['nesting without end', `${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}`],
    ['10 MB', makeDomain([makeNic('a'), `<x>${'y'.repeat(10_000_000)}</x>`])],
    ['a name that every object inherits', '<__proto__><domain/></__proto__>'],
  ])('%s comes back as it is', (_cause, text) => {
    expect(plan(text, { a: { mtu: 1300 } })).toEqual({ xml: text, notes: ['the domain XML cannot be read'] });
  });

  it('nothing asked for: the text is not even read', () => {
    expect(plan('nonsense', {})).toEqual({ xml: 'nonsense', notes: [] });
  });
});
