import { describe, expect, it } from 'vitest';
import { mergeSidecar } from './sidecars.ts';

const IMAGE = { image: 'r/mooring:2', pullPolicy: 'IfNotPresent' };
const OURS = {
  image: 'r/mooring:2',
  imagePullPolicy: 'IfNotPresent',
  command: ['/usr/local/bin/mooring-hook'],
  args: ['sidecar', '--configure-guest'],
};
const USERS = {
  image: 'u/hook:1',
  args: ['--version', 'v1alpha3'],
  configMap: { name: 'm', key: 'k', hookPath: '/h' },
};

const mergeFor = (wanted: typeof IMAGE | undefined, list: unknown) => {
  const text = list === undefined || typeof list === 'string' ? list : JSON.stringify(list);
  const merged = mergeSidecar(text, wanted);
  return merged.ok ? merged.text && JSON.parse(merged.text) : 'not a list';
};

const merge = (list: unknown) => mergeFor(IMAGE, list);
const take = (list: unknown) => mergeFor(undefined, list);

describe('the list of hook sidecars', () => {
  it.each<[string, unknown, object[]]>([
    ['none', undefined, [OURS]],
    ['an empty text', '', [OURS]],
    ['an empty list', [], [OURS]],
    ['a user’s, which is asked first', [USERS], [USERS, OURS]],
    ['ours already', [OURS], [OURS]],
    ['ours before a user’s', [OURS, USERS], [OURS, USERS]],
    ['ours of an earlier release', [{ ...OURS, image: 'r/mooring:1' }, USERS], [USERS, OURS]],
    ['ours with another pull policy', [{ ...OURS, imagePullPolicy: 'Always' }], [OURS]],
    ['ours twice', [OURS, OURS], [OURS]],
  ])('gets ours: %s', (_cause, list, expected) => {
    expect(merge(list)).toEqual(expected);
  });

  it.each<[string, object]>([
    ['by its name', { ...OURS, command: ['mooring-hook'] }],
    ['at another place', { ...OURS, command: ['/opt/mooring-hook'] }],
    ['with other arguments', { ...OURS, args: ['sidecar'] }],
    ['with a field that ours has not', { ...OURS, pvc: { name: 'p' } }],
    ['as an argument', { image: 'r/mooring:1', args: ['mooring-hook', 'sidecar'] }],
    ['in a shell', { image: 'r/mooring:1', command: ['sh', '-c'], args: ['mooring-hook sidecar --configure-guest'] }],
  ])('with a user’s own entry for our program stays as it is: %s', (_cause, entry) => {
    expect(merge([entry])).toEqual([entry]);
    expect(take([entry])).toEqual([entry]);
    expect(merge([entry, OURS])).toEqual([entry]);
  });

  it.each<[string, unknown, unknown]>([
    ['the only one', [OURS], undefined],
    ['beside a user’s', [USERS, OURS], [USERS]],
    ['of an earlier release', [{ ...OURS, image: 'r/mooring:1' }], undefined],
    ['not there', [USERS], [USERS]],
    ['nothing there', undefined, undefined],
  ])('loses ours when it is not wanted: %s', (_cause, list, expected) => {
    expect(take(list)).toEqual(expected);
  });

  it.each([['{}'], ['null'], ['7'], ['[1]'], ['[[]]'], ['[null]'], ['no JSON'], [`[${' '.repeat(70_000)}]`]])(
    'that is none is left alone: %.20s',
    (text) => {
      expect(merge(text)).toBe('not a list');
      expect(take(text)).toBe('not a list');
    },
  );

  it('keeps its very text when nothing changes, and keys that every object inherits', () => {
    const text = `[ {"__proto__": {"image": "x"}, "image": "u"},  ${JSON.stringify(OURS)} ]`;
    expect(mergeSidecar(text, IMAGE)).toEqual({ ok: true, text });
    const gone = mergeSidecar(text, undefined);
    expect(gone.ok && gone.text).toBe('[{"__proto__":{"image":"x"},"image":"u"}]');
  });
});
