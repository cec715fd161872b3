import { describe, expect, it } from 'vitest';
import { listAt, parseDomain } from './domain.ts';
import { applyEdits, planAttribute, planChild } from './edit.ts';

/** The domain around a text, and the element `nic` in it. */
function read(inner: string) {
  const text = `<?xml version="1.0"?>\n<domain>${inner}</domain>`;
  const domain = parseDomain(text);
  const [nic] = domain === undefined ? [] : listAt(domain, 'nic');
  if (nic === undefined) throw new Error('no element');
  return { text, nic };
}

describe('parseDomain', () => {
  it('knows the text of each element, attributes as they stand', () => {
    const { text, nic } = read(`<a/><nic b='1 > 0' c="&amp;"><d></d> x </nic>`);
    expect(text.slice(nic.start, nic.end)).toBe(`<nic b='1 > 0' c="&amp;"><d></d> x </nic>`);
    expect([...nic.attributes]).toEqual([
      ['b', '1 > 0'],
      ['c', '&amp;'],
    ]);
    expect(nic.children.map(({ tag }) => tag)).toEqual(['d']);
  });

  it('follows a path through several elements of a name', () => {
    const domain = parseDomain('<domain><a><b n="1"/></a><c><b n="2"/></c><a><b n="3"/></a></domain>');
    const found = domain === undefined ? [] : listAt(domain, 'a', 'b');
    expect(found.map(({ attributes }) => attributes.get('n'))).toEqual(['1', '3']);
  });
});

describe('edits', () => {
  it.each<[string, string, string]>([
    ['one that is there', '<nic a="1" size="2"></nic>', '<nic a="1" size="9"></nic>'],
    ['one in single quotes', `<nic size='2'/>`, `<nic size='9'/>`],
    ['one that is empty', '<nic size=""/>', '<nic size="9"/>'],
    ['one whose name ends another', '<nic xsize="1"/>', '<nic size="9" xsize="1"/>'],
    ['one whose text is in another', `<nic a=" size='1'" size="2"/>`, `<nic a=" size='1'" size="9"/>`],
    ['none', '<nic/>', '<nic size="9"/>'],
  ])('an attribute: %s', (_cause, before, after) => {
    const { text, nic } = read(before);
    expect(applyEdits(text, planAttribute(text, nic, 'size', '9'))).toBe(text.replace(before, after));
  });

  it('an attribute that has the value needs none', () => {
    const { text, nic } = read('<nic size="9"/>');
    expect(planAttribute(text, nic, 'size', '9')).toEqual([]);
  });

  it.each<[string, string, string]>([
    ['on its own line', '<nic>\n\t<a/>\n</nic>', '<nic>\n\t<b/>\n\t<a/>\n</nic>'],
    ['on the same line', '<nic><a/></nic>', '<nic><b/><a/></nic>'],
    ['in front of text', '<nic>x<a/></nic>', '<nic><b/>x<a/></nic>'],
    ['behind a start tag with ">" in it', '<nic a=">"><a/></nic>', '<nic a=">"><b/><a/></nic>'],
  ])('a child: %s', (_cause, before, after) => {
    const { text, nic } = read(before);
    expect(applyEdits(text, [planChild(text, nic, '<b/>')])).toBe(text.replace(before, after));
  });

  it('several edits, in any order, two of them at one place', () => {
    const edits = [
      { start: 4, end: 5, text: 'E' },
      { start: 1, end: 1, text: '1' },
      { start: 1, end: 1, text: '2' },
      { start: 2, end: 4, text: '' },
    ];
    expect(applyEdits('abcdef', edits)).toBe('a12bEf');
    expect(applyEdits('abcdef', [])).toBe('abcdef');
  });
});
