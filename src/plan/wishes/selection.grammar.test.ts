import { describe, expect, it } from 'vitest';
import { parseSelections, type Selection } from './selection.ts';
import { makeRandom, mutate } from './testing/mutate.ts';

/**
 * The grammar a second time, written from the specification (NetworkAttachmentDefinition de facto standard v1.3, section
 * 4.1) and from how Multus reads it, character by character and without the parser's own tools, to compare answers with.
 */
function readReference(text: string): string[] | undefined {
  if (text.trim() === '') return [];
  const isJson = ['[', '{', '"'].some((mark) => text.includes(mark));
  const items = isJson ? readJson(text) : text.split(',').map(readShort);
  if (items === undefined || items.length > 32) return undefined;
  const whole = items.map((item, index) => item && complete(item, index));
  const interfaces = whole.map((item) => item?.interface);
  if (new Set(interfaces).size !== interfaces.length) return undefined;
  return whole.every((item) => item !== undefined && isGood(item))
    ? whole.map((item) => `${item?.namespace}/${item?.name}@${item?.interface}`)
    : undefined;
}

const complete = (item: Item, index: number): Item => ({
  name: item.name,
  namespace: item.namespace === '' ? 'ns' : item.namespace,
  interface: item.interface === '' ? `net${index + 1}` : item.interface,
});

const isGood = (item: Item): boolean =>
  isInterface(item.interface) && isDns(item.name, 253, true) && isDns(item.namespace, 63, false);

type Item = { namespace: string; name: string; interface: string };

function readShort(part: string): Item | undefined {
  const [left = '', ...interfaces] = part.trim().split('@');
  const names = left.split('/');
  if (interfaces.length > 1 || names.length > 2 || interfaces[0]?.includes('/') === true) return undefined;
  if ([...names, ...interfaces].includes('')) return undefined;
  const [name = '', namespace = ''] = names.toReversed();
  return { namespace, name, interface: interfaces[0] ?? '' };
}

function readJson(text: string): (Item | undefined)[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return (Array.isArray(value) ? value : [value]).map(readObject);
}

function readObject(value: unknown): Item | undefined {
  if (Object.prototype.toString.call(value) !== '[object Object]') return undefined;
  const own = (key: string): unknown => Object.getOwnPropertyDescriptor(value, key)?.value as unknown;
  const pick = (...keys: string[]): unknown => keys.map(own).find(Boolean) ?? '';
  const [name, namespace, interfaceName] = [pick('name'), pick('namespace'), pick('interface', 'interfaceRequest')];
  if (typeof name !== 'string' || typeof namespace !== 'string' || typeof interfaceName !== 'string') return undefined;
  return hasGoodDetails(own) ? { name, namespace, interface: interfaceName } : undefined;
}

function hasGoodDetails(own: (key: string) => unknown): boolean {
  const get = (key: string): unknown => (own(key) === '' ? undefined : (own(key) ?? undefined));
  const lists = [get('ips') ?? [], get('default-route') ?? []];
  if (
    !lists.every((list) => Array.isArray(list) && list.length <= 16 && list.every((item) => typeof item === 'string'))
  )
    return false;
  const claim = get('ipam-claim-reference');
  if (typeof (get('mac') ?? '') !== 'string') return false;
  if (claim === undefined) return true;
  return typeof claim === 'string' && isDns(claim, 253, true) && (lists[0] as unknown[]).length === 0;
}

function isDns(text: string, max: number, dots: boolean): boolean {
  const labels = dots ? text.split('.') : [text];
  return (
    text.length <= max &&
    labels.every((label) => [...label].every((one) => 'abcdefghijklmnopqrstuvwxyz0123456789-'.includes(one))) &&
    labels.every((label) => label !== '' && !label.startsWith('-') && !label.endsWith('-'))
  );
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-';

function isInterface(text: string): boolean {
  if (text === '' || text.length > 15 || text === '.' || text === '..') return false;
  return [...text].every((character) => LETTERS.includes(character));
}

const show = ({ namespace, name, interface: nic }: Selection): string => `${namespace}/${name}@${nic}`;

const PARTS = ['', 'a', 'a-b', 'a.b', '-a', 'A', 'ä', 'a b', 'n'.repeat(63), 'n'.repeat(64), '..', '__proto__'];
const SHORT = PARTS.flatMap((namespace) =>
  PARTS.flatMap((name) =>
    PARTS.flatMap((nic) => [name, `${namespace}/${name}`, `${name}@${nic}`, `${namespace}/${name}@${nic}`]),
  ),
);
const ODD = [
  'a/b/c',
  'a@b@c',
  'a@b/c',
  '/a',
  'a/',
  '@a',
  'a@',
  'a,,b',
  'a,',
  ',',
  ' a , b ',
  'a,a@net1',
  'a@net2,b',
  'a\tb',
  'a\nb',
  'a;b',
];
const JSONS = [
  '[]',
  '{}',
  '[{}]',
  '[[]]',
  'null',
  '"a"',
  '["a"]',
  '[null]',
  '[1]',
  '{"name":"a"}',
  '[{"name":"a"},{"name":"a"}]',
  '[{"name":"a","interface":"net2"},{"name":"b"}]',
  '[{"name":"a/b"}]',
  '[{"name":"a","namespace":null}]',
  '[{"name":"a","x.y/z":[{}]}]',
  '[{"name":"a","ips":[]}]',
  '[{"name":"a","ips":[1]}]',
  '[{"name":"a","ips":{}}]',
  '[{"name":"a","interfaceRequest":"i"}]',
  '[{"name":"a","interface":"i","interfaceRequest":"j"}]',
  '[{"name":"a","default-route":[]}]',
  '[{"name":"a","ipam-claim-reference":"c"}]',
  '[{"name":"a","ips":["10.0.0.1"],"ipam-claim-reference":"c"}]',
  '[{"__proto__":{"name":"a"}}]',
  'a,[{"name":"b"}]',
  '{"name":"a"',
];

describe('the selection grammar against a second reading of it (A8, F41)', () => {
  const compare = (text: string): void => {
    const parsed = parseSelections(text, 'ns');
    const expected = readReference(text);
    expect([text, parsed.ok ? parsed.value.map(show) : 'refused']).toEqual([text, expected ?? 'refused']);
  };

  it('the short form, every combination of parts', () => {
    for (const text of [...SHORT, ...ODD]) compare(text);
    expect(SHORT.filter((text) => readReference(text) !== undefined).length).toBeGreaterThan(50);
  });

  it.each(JSONS)('%s', (text) => compare(text));

  it('20,000 mutations of both forms', () => {
    const random = makeRandom(41);
    const corpus = [...ODD, ...JSONS, 'a/b@c,d,e/f'];
    for (let run = 0; run < 20_000; run += 1) compare(mutate(corpus[run % corpus.length] ?? '', corpus, random));
  }, 30_000);

  it.each([
    ['32 networks are allowed', 32, true],
    ['33 are not', 33, false],
  ])('%s', (_cause, count, allowed) => {
    const names = Array.from({ length: count }, (_, index) => `n${index}`);
    expect(parseSelections(names.join(), 'ns').ok).toBe(allowed);
    expect(parseSelections(JSON.stringify(names.map((name) => ({ name }))), 'ns').ok).toBe(allowed);
  });
});
