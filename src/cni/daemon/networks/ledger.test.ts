import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatDigest } from '../../../api/names.ts';
import { createRecordingLogger } from '../../../kube/testing/recording-logger.ts';
import { createLedger, formatRecord, type LedgerEntry, parseRecord } from './ledger.ts';

const ENTRY: LedgerEntry = {
  ...{
    version: 1,
    containerId: 'c1',
    ifname: 'net1',
    state: 'attached',
    first: false,
    network: 'shop/a',
    cniName: 'a',
  },
  ...{ nad: 'shop/a', netns: '/run/netns/x', netnsId: '4:1', pod: { namespace: 'shop', name: 'web', uid: 'u1' } },
  ...{ cniArgs: 'K8S_POD_NAME=web', plugins: [{ type: 'macvlan', password: 'p' }], result: { ips: [] }, order: 1 },
};

/** As version 0.1 of the agent wrote it: every later one has to read this very text. */
const FIRST_FORM =
  '{"version":1,"containerId":"c1","ifname":"net1","state":"attached","first":false,"network":"shop/a","cniName":"a",' +
  '"nad":"shop/a","netns":"/run/netns/x","netnsId":"4:1","pod":{"namespace":"shop","name":"web","uid":"u1"},' +
  '"cniArgs":"K8S_POD_NAME=web","plugins":[{"type":"macvlan","password":"p"}],"result":{"ips":[]},"order":1}';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mooring-ledger-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const open = async () => {
  const log = createRecordingLogger();
  const ledger = createLedger(folder, log);
  await ledger.load();
  return ledger;
};

describe('the ledger', () => {
  test('outlives its program', async () => {
    const first = await open();
    await first.put(ENTRY);
    await first.put({ ...ENTRY, ifname: 'eth0', first: true, order: 0 });
    const second = await open();
    expect(second.find(ENTRY)).toEqual(ENTRY);
    expect(second.listSandbox('c1').map(({ ifname }) => ifname)).toEqual(['eth0', 'net1']);
    expect(second.listSandbox('c2')).toEqual([]);
    await second.delete(ENTRY);
    await second.delete(ENTRY);
    expect((await open()).list()).toHaveLength(1);
  });

  test('is for root only, as a configuration may hold a secret', async () => {
    await (await open()).put(ENTRY);
    const [name = ''] = await readdir(join(folder, 'networks'));
    expect((await stat(join(folder, 'networks', name))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'networks'))).mode & 0o777).toBe(0o700);
  });

  test('reads the form that it was first written in', () => {
    expect(parseRecord(`${formatDigest(FIRST_FORM)} ${FIRST_FORM}\n`)).toEqual(ENTRY);
  });

  test('a file cut at any byte is known to be broken', () => {
    const text = formatRecord(ENTRY);
    for (let length = 0; length < text.length; length += 1) expect(parseRecord(text.slice(0, length))).toBeUndefined();
    expect(parseRecord(text)).toEqual(ENTRY);
  });

  test('what cannot be read is put aside and keeps nothing back', async () => {
    const first = await open();
    await first.put(ENTRY);
    await first.put({ ...ENTRY, ifname: 'net2' });
    const names = await readdir(join(folder, 'networks'));
    await writeFile(join(folder, 'networks', names[0] ?? ''), 'junk');
    await writeFile(join(folder, 'networks', 'x.json.tmp'), 'half');
    const text = await readFile(join(folder, 'networks', names[1] ?? ''), 'utf8');
    await writeFile(join(folder, 'networks', '0123456789abcdef.json'), text);
    expect((await open()).list()).toHaveLength(1);
    expect(await readdir(join(folder, 'networks'))).toEqual([names[1]]);
    expect((await readdir(join(folder, 'quarantine'))).sort()).toEqual(
      [`networks-${names[0]}`, 'networks-0123456789abcdef.json'].sort(),
    );
  });
});
