import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { DeadlineError } from '../deadline.ts';
import { CniError } from '../errors.ts';
import { eventually } from '../testing/berths.ts';
import { runPlugin } from './exec.ts';

let binDir: string;
beforeEach(async () => {
  binDir = await mkdtemp(join(tmpdir(), 'mooring-exec-'));
});
afterEach(() => rm(binDir, { recursive: true, force: true }));

/** A plugin that is a shell script; `$0` is its path. */
async function install(script: string): Promise<void> {
  await writeFile(join(binDir, 'plugin'), `#!/bin/sh\n${script}\n`);
  await chmod(join(binDir, 'plugin'), 0o755);
}
const run = (
  signal: AbortSignal = new AbortController().signal,
  plugin: Record<string, unknown> = { type: 'plugin' },
) => runPlugin({ binDir, plugin, env: { CNI_COMMAND: 'ADD', CNI_IFNAME: 'net1; touch x' } }, signal);
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('somebody else’s plugin', () => {
  test('gets its configuration on stdin and the variables of the call, nothing of ours, no shell', async () => {
    process.env.MOORING_SECRET = 's';
    await install('env > "$0.env"; cat > "$0.stdin"; pwd > "$0.pwd"; echo "{\\"ips\\":[]}"');
    expect(await run(undefined, { type: 'plugin', text: '$(reboot)' })).toEqual({ ips: [] });
    delete process.env.MOORING_SECRET;
    const read = (name: string) => readFile(join(binDir, `plugin.${name}`), 'utf8');
    const env = await read('env');
    expect(env).toContain('CNI_IFNAME=net1; touch x\n');
    expect(env).toContain(`CNI_PATH=${binDir}\n`);
    expect(env).not.toContain('MOORING_SECRET');
    expect(await read('pwd')).toBe('/\n');
    expect(JSON.parse(await read('stdin'))).toEqual({ type: 'plugin', text: '$(reboot)' });
  });

  test('that says nothing has nothing to say', async () => {
    await install('exit 0');
    expect(await run()).toBeUndefined();
  });

  test.each([
    [
      'fails with an error of the specification',
      'echo \'{"code":7,"msg":"no master","details":"eth9"}\'; exit 1',
      'io',
      'no master; eth9',
    ],
    ['asks to be called again', 'echo \'{"code":11,"msg":"busy"}\'; exit 1', 'tryAgain', 'busy'],
    ['fails with words for people', 'echo oops >&2; exit 3', 'io', 'it ended with 3: oops'],
    ['dies', 'kill -9 $$', 'io', 'it died by SIGKILL'],
    ['prints no JSON', 'echo hello', 'decoding', 'its answer is no JSON'],
    [
      'prints without end',
      'while :; do echo 0123456789012345678901234567890123456789; done',
      'io',
      'it printed too much',
    ],
  ])('that %s is named with its own words', async (_cause, script, code, words) => {
    await install(script);
    const error = await run().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CniError);
    expect(error).toMatchObject({ code, message: expect.stringContaining(`plugin plugin: ${words}`) });
  });

  test('that is not there is named', async () => {
    await expect(run()).rejects.toThrow(/plugin plugin: it cannot be run: .*ENOENT/);
  });

  test('is killed at the deadline, with all that it has started', async () => {
    await install('sleep 1000 & echo $! > "$0.child"; echo $$ > "$0.pid"; wait');
    const abort = new AbortController();
    const outcome = run(abort.signal).catch((error: unknown) => error);
    const pidOf = async (name: string) =>
      Number(await readFile(join(binDir, `plugin.${name}`), 'utf8').catch(() => '0'));
    await eventually('started', async () => (await pidOf('pid')) > 0);
    const pids = [await pidOf('pid'), await pidOf('child')];
    abort.abort(new DeadlineError(5000));
    expect(await outcome).toMatchObject({
      code: 'tryAgain',
      message: 'plugin plugin: no answer within 5 s, it was stopped',
    });
    await eventually('gone', async () => !pids.some(isAlive));
  });

  test('is over at the deadline though a daemon of its own session keeps its output open', async () => {
    const daemon = `setsid sh -c 'echo $$ > "$1.child"; exec sleep 1000' sh "$0" &`;
    await install(`${daemon} echo $$ > "$0.pid"; exit 0`);
    const abort = new AbortController();
    const outcome = run(abort.signal).catch((error: unknown) => error);
    const pidOf = async (name: string) =>
      Number(await readFile(join(binDir, `plugin.${name}`), 'utf8').catch(() => '0'));
    await eventually('ended', async () => (await pidOf('pid')) > 0 && !isAlive(await pidOf('pid')));
    await eventually('the daemon', async () => (await pidOf('child')) > 0);
    abort.abort(new DeadlineError(5000));
    expect(await outcome).toMatchObject({ code: 'tryAgain' });
    process.kill(await pidOf('child'), 'SIGKILL');
  });

  test('is not started at all when the call is over', async () => {
    await install('touch "$0.ran"');
    await expect(run(AbortSignal.abort(new CniError('fenced', 'a DEL has come')))).rejects.toThrow('a DEL has come');
    await expect(readFile(join(binDir, 'plugin.ran'))).rejects.toThrow('ENOENT');
  });
});
