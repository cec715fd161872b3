import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Logger, noLogger } from '../../kube/types.ts';
import { runSidecar } from './run.ts';
import { makeDomain, makeNic } from './testing/domain.ts';
import { makeCloudInit, makeNicConfig, makeVmi } from './testing/guest.ts';
import { collect, type Launcher } from './testing/launcher.ts';

describe('hook sidecar on its socket', () => {
  let directory = '';
  let stop = new AbortController();
  let ended: Promise<void> = Promise.resolve();
  let launcher: Launcher | undefined;
  const lines: string[] = [];
  const logger: Logger = { ...noLogger, warn: (fields) => lines.push(JSON.stringify(fields)) };

  /** The launcher that found the sidecar; resolves as soon as the socket answers. */
  async function start(known?: readonly string[], configureGuest = true): Promise<Launcher> {
    const served = Promise.withResolvers<void>();
    const options = { directory, configureGuest, suffix: 'x7', signal: stop.signal };
    ended = runSidecar({ ...options, logger: { ...logger, info: () => served.resolve() } });
    await Promise.race([served.promise, ended]);
    launcher = await collect(directory, known);
    return launcher;
  }

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'hooks-'));
    stop = new AbortController();
    lines.length = 0;
  });
  afterEach(async () => {
    launcher?.close();
    stop.abort();
    await ended;
    await rm(directory, { recursive: true });
  });

  const domainXML = Buffer.from(makeDomain([makeNic('nic1')]));
  const annotations = { 'mooring.dev/nic-devices': '{"nic1":{"mtu":1300}}' };
  const vmi = makeVmi([makeNicConfig(1)], { annotations });

  it.each(['v1alpha1', 'v1alpha2', 'v1alpha3'])('a launcher that knows %s has the domain edited', async (version) => {
    const { version: chosen, call } = await start([version]);
    const reply = await call(
      'OnDefineDomain',
      new Map([
        [1, [domainXML]],
        [2, [vmi]],
      ]),
    );
    expect(chosen).toBe(version);
    expect(String(reply.get(1))).toBe(makeDomain([makeNic('nic1', { mtu: 1300 })]));
  });

  it.each(['v1alpha2', 'v1alpha3'])('a launcher that knows %s has network data filled in', async (version) => {
    const { call } = await start([version]);
    const { data, noCloudSource } = makeCloudInit();
    const reply = await call(
      'PreCloudInitIso',
      new Map([
        [1, [noCloudSource]],
        [2, [vmi]],
        [3, [data]],
      ]),
    );
    expect(JSON.parse(String(reply.get(3))).NetworkData).toContain('10.1.0.5/24');
    expect(JSON.parse(String(reply.get(1))).networkData).toContain('10.1.0.5/24');
  });

  it('offers all versions and hook points, PreCloudInitIso only when it is to configure guests', async () => {
    const { version, hookPoints } = await start();
    expect([version, ...hookPoints]).toEqual(['v1alpha3', 'OnDefineDomain', 'PreCloudInitIso', 'Shutdown']);
    stop.abort();
    await ended;
    stop = new AbortController();
    expect((await start(undefined, false)).hookPoints).toEqual(['OnDefineDomain', 'Shutdown']);
  });

  it('Shutdown is answered and ends it, though the launcher keeps its connection; the socket is gone', async () => {
    const { call } = await start();
    await expect(call('Shutdown', new Map())).resolves.toBeDefined();
    await ended;
    expect(await readdir(directory)).toEqual([]);
  });

  it('the signal ends it, also before it serves', async () => {
    await start();
    stop.abort();
    await ended;
    expect(await readdir(directory)).toEqual([]);
    await runSidecar({ directory, configureGuest: true, suffix: 'y', signal: stop.signal, logger: noLogger });
    expect(await readdir(directory)).toEqual([]);
  });

  it.each<[string, Buffer, Buffer]>([
    ['no VMI', domainXML, Buffer.from('{')],
    ['a VMI of 5 MB', domainXML, Buffer.alloc(5_000_000, '[')],
    ['a domain that is no UTF-8', Buffer.from([0x3c, 0xff, 0xfe]), vmi],
    ['a domain that is no XML', Buffer.from('<domain'), vmi],
    ['a domain of 3 MB', Buffer.alloc(3_000_000, '<a>'), vmi],
    ['nothing at all', Buffer.alloc(0), Buffer.alloc(0)],
  ])('%s: the domain comes back as it is', async (_cause, domain, json) => {
    const { call } = await start();
    const reply = await call(
      'OnDefineDomain',
      new Map([
        [1, [domain]],
        [2, [json]],
      ]),
    );
    expect(Buffer.compare(reply.get(1)?.[0] ?? Buffer.alloc(0), domain)).toBe(0);
  });

  it('what was not done is told in the log', async () => {
    const asked = { 'mooring.dev/nic-devices': '{"nic1":{"mtu":9000,"queues":0}}' };
    const { call } = await start();
    await call(
      'OnDefineDomain',
      new Map([
        [1, [domainXML]],
        [2, [makeVmi([], { annotations: asked })]],
      ]),
    );
    expect(lines.join()).toContain('nic1: the value of queues is not valid');
    expect(lines.join()).toContain('nic1: mtu 9000 is more than');
  });

  it('a directory that is not there is an error at the start', async () => {
    const nowhere = join(directory, 'none');
    const run = runSidecar({ directory: nowhere, configureGuest: true, suffix: 'x', signal: stop.signal, logger });
    await expect(run).rejects.toThrow();
  });
});
