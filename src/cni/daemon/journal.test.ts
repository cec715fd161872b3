import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRecordingLogger } from '../../kube/testing/recording-logger.ts';
import { createJournal, formatEntry, type JournalEntry, parseEntry } from './journal.ts';

const entry: JournalEntry = {
  containerId: 'c1',
  ifname: 'eth0',
  state: 'attached',
  network: 'mooring',
  netns: '/run/netns/x',
  hostInterface: 'm00112233445566',
  ifaceId: 'pod/default/web/eth0',
  pod: { namespace: 'default', name: 'web', uid: 'u1' },
  gate: false,
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'journal-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const load = async () => {
  const log = createRecordingLogger();
  const journal = createJournal(folder, log);
  await journal.load();
  return { journal, log };
};
const files = () => readdir(join(folder, 'attachments'));

describe('the journal', () => {
  test('what was put is there again after a restart', async () => {
    const { journal } = await load();
    await journal.put(entry);
    const bare = { ...entry, ifname: 'net1', gate: true, bare: true as const };
    await journal.put(bare);
    const again = (await load()).journal;
    expect(again.find({ containerId: 'c1', ifname: 'eth0' })).toEqual(entry);
    expect(again.find({ containerId: 'c1', ifname: 'net1' })).toEqual(bare);
    expect(again.list()).toHaveLength(2);
  });

  test('a later entry replaces the earlier one of the same attachment', async () => {
    const { journal } = await load();
    await journal.put({ ...entry, state: 'wiring' });
    await journal.put(entry);
    expect(await files()).toHaveLength(1);
    expect((await load()).journal.list()).toEqual([entry]);
  });

  test('what was deleted is gone, also when it never was', async () => {
    const { journal } = await load();
    await journal.put(entry);
    await journal.delete(entry);
    await journal.delete({ containerId: 'never', ifname: 'eth0' });
    expect(await files()).toEqual([]);
    expect(journal.list()).toEqual([]);
  });

  test('a file cut at any byte is put aside and does not stand in the way', async () => {
    const whole = formatEntry(entry);
    for (let length = 0; length < whole.length; length += 1) expect(parseEntry(whole.slice(0, length))).toBeUndefined();
    const { journal } = await load();
    await journal.put(entry);
    await journal.put({ ...entry, containerId: 'c2' });
    const [name = ''] = await files();
    const path = join(folder, 'attachments', name);
    await writeFile(path, (await readFile(path, 'utf8')).slice(0, 40));
    const again = await load();
    expect(again.journal.list()).toHaveLength(1);
    expect(await readdir(join(folder, 'quarantine'))).toEqual([`attachments-${name}.bad`]);
    expect(again.log.lines).toEqual([expect.objectContaining({ level: 'warn' })]);
  });

  test('a file with any changed byte is not believed', () => {
    const whole = formatEntry(entry);
    for (let at = 0; at < whole.length; at += 1) {
      const changed = `${whole.slice(0, at)}${whole[at] === '#' ? '!' : '#'}${whole.slice(at + 1)}`;
      expect(parseEntry(changed)).toBeUndefined();
    }
  });

  test('a file under the name of another attachment is put aside', async () => {
    const { journal } = await load();
    await journal.put(entry);
    const [name = ''] = await files();
    await writeFile(join(folder, 'attachments', name), formatEntry({ ...entry, containerId: 'c9' }));
    expect((await load()).journal.list()).toEqual([]);
  });

  test('what an interrupted write has left is swept', async () => {
    await load();
    await writeFile(join(folder, 'attachments', 'x.json.tmp'), 'half');
    await load();
    expect(await files()).toEqual([]);
  });

  test('names from outside do not become paths', async () => {
    const { journal } = await load();
    await journal.put({ ...entry, containerId: '../../../../etc/passwd', ifname: '..' });
    expect((await files())[0]).toMatch(/^[0-9a-f]{16}\.json$/);
  });

  test('a disk that does not take it is an error, and memory says the same as the disk', async () => {
    const { journal } = await load();
    await rm(join(folder, 'attachments'), { recursive: true });
    await expect(journal.put(entry)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(journal.list()).toEqual([]);
  });

  test('fields of another version of the program are refused when one is missing', () => {
    const { gate: _gate, ...rest } = entry;
    expect(parseEntry(formatEntry(rest as JournalEntry))).toBeUndefined();
  });
});
