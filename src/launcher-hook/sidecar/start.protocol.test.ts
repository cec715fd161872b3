import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../../../scripts/build/bundle.ts';
import { makeDomain, makeNic } from './testing/domain.ts';
import { makeVmi } from './testing/guest.ts';
import { collect } from './testing/launcher.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
/** KubeVirt's user of launcher pods. */
const QEMU = 107;
/** Nothing can be written but in the directory of the sockets; no capability, and no way to get one. */
const CONFINED = `mount -o remount,bind,ro / && mount --bind "$0" "$0" && mount -o remount,bind,rw "$0" &&
exec setpriv --reuid ${QEMU} --regid ${QEMU} --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs "$@"`;

type Sidecar = { readonly child: ChildProcess; readonly ended: Promise<unknown> };

describe('mooring-hook sidecar as KubeVirt runs it', () => {
  let work = '';
  let sockets = '';
  let running: Sidecar[] = [];

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'sidecar-'));
    chmodSync(work, 0o755);
    await bundle(ROOT, work);
    execFileSync('cp', [process.execPath, join(work, 'node')]);
    sockets = join(work, 'sockets');
    mkdirSync(sockets);
    chownSync(sockets, QEMU, QEMU);
  });
  afterEach(async () => {
    for (const { child } of running) child.kill('SIGKILL');
    await Promise.all(running.map(({ ended }) => ended));
    running = [];
    for (const file of readdirSync(sockets)) rmSync(join(sockets, file));
  });
  afterAll(() => rmSync(work, { recursive: true }));

  /** The program, once it says that it serves. */
  async function start(): Promise<Sidecar> {
    const command = [
      join(work, 'node'),
      join(work, 'lib/hook.js'),
      'sidecar',
      '--configure-guest',
      '--directory',
      sockets,
    ];
    const args = ['--mount', '--propagation', 'private', 'sh', '-c', CONFINED, sockets, ...command];
    const child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'inherit'], env: {} });
    const sidecar = { child, ended: once(child, 'exit') };
    running.push(sidecar);
    const lines = createInterface({ input: child.stdout });
    const [line] = (await Promise.race([once(lines, 'line'), sidecar.ended])) as unknown[];
    expect(String(line)).toContain('hook sidecar serves');
    return sidecar;
  }

  it('serves one socket, as a user without rights on a root that cannot be written, until Shutdown', async () => {
    const { ended } = await start();
    const launcher = await collect(sockets);
    const vmi = makeVmi([], { annotations: { 'mooring.dev/nic-devices': '{"a":{"link":"down"}}' } });
    const domain = Buffer.from(makeDomain([makeNic('a')]));
    const reply = await launcher.call(
      'OnDefineDomain',
      new Map([
        [1, [domain]],
        [2, [vmi]],
      ]),
    );
    expect(String(reply.get(1))).toContain('<link state="down"></link>');
    await launcher.call('Shutdown', new Map());
    expect(await ended).toEqual([0, null]);
    launcher.close();
    expect(readdirSync(sockets)).toEqual([]);
  });

  it('ends at SIGTERM with 0', async () => {
    const { child, ended } = await start();
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(readdirSync(sockets)).toEqual([]);
  });

  it('two sidecars have sockets of different names, for the launcher counts names', async () => {
    await start();
    await start();
    expect(new Set(readdirSync(sockets)).size).toBe(2);
  });
});
