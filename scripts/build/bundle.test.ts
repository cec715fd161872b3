import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundle, formatBundleName, formatLauncher, parseWorkers, rewriteWorkers } from './bundle.ts';

describe('workers', () => {
  const text = "const a = new URL('./worker-main.ts', import.meta.url); new URL('https://x');";
  it('are found by the URL that names them', () => {
    expect(parseWorkers(text)).toEqual(['./worker-main.ts']);
  });
  it('are none in a text that only speaks of URLs', () => {
    expect(parseWorkers("new URL('./x.json', import.meta.url); new URL('./x.ts', base)")).toEqual([]);
  });
  it('are named by the bundle that stands for them', () => {
    const rewritten = rewriteWorkers('/r', '/r/src/netlink/worker.ts', text);
    expect(rewritten).toContain("new URL('./netlink-worker-main.js', import.meta.url)");
    expect(rewritten).toContain("new URL('https://x')");
  });
});

describe('names', () => {
  it.each([
    ['/r/src/cli/agent.ts', 'agent.js'],
    ['/r/src/netlink/worker-main.ts', 'netlink-worker-main.js'],
    ['/r/src/cni/daemon/reaper.ts', 'cni-daemon-reaper.js'],
  ])('bundles %s as %s', (file, name) => {
    expect(formatBundleName('/r', file)).toBe(name);
  });
  it('starts the bundle of its own name and passes the arguments on', () => {
    expect(formatLauncher('agent.ts')).toBe(
      '#!/bin/sh\nexport MALLOC_ARENA_MAX=2\nexec node --max-semi-space-size=8 --heap-growing-percent=30 /opt/mooring/lib/agent.js "$@"\n',
    );
  });
});

describe('bundle', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'bundle-'));
    symlinkSync(resolve(import.meta.dirname, '../../node_modules'), join(root, 'node_modules'));
    writeTree({
      'src/cli/agent.ts': "import { run } from '../job/start.ts';\nconsole.log(await run());\n",
      'src/cli/agent.test.ts': "throw new Error('tests are no part of a bundle');\n",
      'src/job/start.ts': `import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
export async function run(): Promise<string> {
  const worker = new Worker(new URL('./child.ts', import.meta.url));
  const [said] = await once(worker, 'message');
  return said as string;
}
`,
      'src/job/child.ts': `import { parentPort } from 'node:worker_threads';
import koffi from 'koffi';
import pino from 'pino';
parentPort?.postMessage(typeof koffi.load + ' ' + typeof pino);
`,
    });
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function writeTree(files: Record<string, string>): void {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  }

  it('makes programs whose workers, native parts and CommonJS libraries work away from the sources', async () => {
    const dist = join(root, 'dist');
    await bundle(root, dist);
    rmSync(join(root, 'src'), { recursive: true });
    rmSync(join(root, 'node_modules'));
    const said = execFileSync(process.execPath, [join(dist, 'lib/agent.js')], { encoding: 'utf8' });
    expect(said.trim()).toBe('function function');
  });
  it('makes a launcher for each program that exists', async () => {
    const dist = join(root, 'dist');
    await bundle(root, dist);
    expect(readdirSync(join(dist, 'bin'))).toEqual(['mooring-agent']);
    expect(statSync(join(dist, 'bin/mooring-agent')).mode & 0o111).toBe(0o111);
  });
  it('leaves nothing of an earlier run', async () => {
    writeTree({ 'dist/lib/old.js': '', 'dist/bin/old': '' });
    await bundle(root, join(root, 'dist'));
    expect(readdirSync(join(root, 'dist/bin'))).toEqual(['mooring-agent']);
    expect(readdirSync(join(root, 'dist/lib'))).not.toContain('old.js');
  });
});
