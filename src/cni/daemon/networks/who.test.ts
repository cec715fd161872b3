import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isOurTurn } from './who.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mooring-who-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const OURS = { plugins: [{ type: 'mooring' }] };
const CHAINED = { plugins: [{ type: 'flannel' }, { type: 'mooring', mode: 'networks' }] };
const MULTUS = { type: 'multus-shim' };

describe('auto', () => {
  test.each<[string, Record<string, unknown>, boolean]>([
    ['an empty folder', {}, false],
    ['our list alone', { '10-mooring.conflist': OURS }, true],
    ['the alias', { '10-kube-ovn.conflist': { plugins: [{ type: 'kube-ovn' }] } }, true],
    ["Multus' before ours", { '00-multus.conf': MULTUS, '10-mooring.conflist': OURS }, false],
    [
      "Multus' as a list",
      { '00-multus.conflist': { plugins: [{ type: 'multus' }] }, '10-mooring.conflist': OURS },
      false,
    ],
    ["Multus' behind ours, which no runtime asks", { '10-mooring.conflist': OURS, '99-multus.conf': MULTUS }, true],
    [
      "another plugin's before ours",
      { '05-flannel.conflist': { plugins: [{ type: 'flannel' }] }, '10-mooring.conflist': OURS },
      false,
    ],
    ['another plugin that chains to us', { '05-flannel.conflist': CHAINED }, true],
    ['a broken file before ours', { '00-broken.conf': '{', '10-mooring.conflist': OURS }, true],
    ['a file that is no configuration', { '00-multus.conf.bak': MULTUS, '10-mooring.conflist': OURS }, true],
    ['a list of nonsense', { '00-x.conflist': { plugins: [null, 3, { type: 4 }] } }, false],
  ])('%s', async (_cause, files, expected) => {
    for (const [name, content] of Object.entries(files)) {
      await writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
    }
    expect(await isOurTurn('auto', folder)).toBe(expected);
  });

  test('without the folder nobody has asked us', async () => {
    expect(await isOurTurn('auto', join(folder, 'nowhere'))).toBe(false);
  });
});

test('always and never need no folder', async () => {
  expect(await isOurTurn('always', '/nowhere')).toBe(true);
  expect(await isOurTurn('never', '/nowhere')).toBe(false);
});
