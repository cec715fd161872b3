import { chmodSync, cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

/** Programs of the image: file below src/cli, and the name it is called by. */
export const PROGRAMS: Readonly<Record<string, string>> = {
  'operator.ts': 'mooring-operator',
  'agent.ts': 'mooring-agent',
  'hook.ts': 'mooring-hook',
  'moor.ts': 'moor',
};

/** Loaded as they are: koffi finds its native part by its own place on the disk. */
const EXTERNAL = ['koffi'];

/** CommonJS libraries inside a bundle still ask for Node's own modules by `require`. */
const BANNER =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

const WORKER = /new URL\(\s*'(\.[^']+)\.ts'\s*,\s*import\.meta\.url\s*\)/g;

/** Worker files that a source text names by `new URL('./x.ts', import.meta.url)`. */
export function parseWorkers(text: string): string[] {
  return [...text.matchAll(WORKER)].map((match) => `${match[1] ?? ''}.ts`);
}

/** The bundle's name of a source file: `src/netlink/worker.ts` becomes `netlink-worker.js`. */
export function formatBundleName(root: string, file: string): string {
  const path = relative(join(root, 'src'), file).replace(/\.ts$/, '');
  const [folder = '', ...rest] = path.split('/');
  const name = folder === 'cli' ? rest : [folder, ...rest];
  return `${name.join('-')}.js`;
}

/** Rewrites the URLs of workers to the bundles that stand for them, side by side in one folder. */
export function rewriteWorkers(root: string, file: string, text: string): string {
  return text.replaceAll(WORKER, (_whole, path: string) => {
    const name = formatBundleName(root, resolve(dirname(file), `${path}.ts`));
    return `new URL('./${name}', import.meta.url)`;
  });
}

function workerPlugin(root: string): Plugin {
  return {
    name: 'workers',
    setup: (run) => {
      run.onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => ({
        contents: rewriteWorkers(root, path, readFileSync(path, 'utf8')),
        loader: 'ts',
      }));
    },
  };
}

function listEntries(root: string): string[] {
  const programs = Object.keys(PROGRAMS).map((file) => join(root, 'src/cli', file));
  const sources = globSync('src/**/*.ts', { cwd: root, exclude: ['**/*.test.ts'] }).map((file) => join(root, file));
  const workers = sources.flatMap((file) =>
    parseWorkers(readFileSync(file, 'utf8')).map((path) => resolve(dirname(file), path)),
  );
  return [...new Set([...programs, ...workers])].filter((file) => existsSync(file)).sort();
}

/**
 * On a large machine Node lets the heap grow to several times of what is in use before it looks for garbage. Ours do
 * little work and share nodes with guests: memory is worth more than the few percent of time that this costs.
 */
export const MEMORY_FLAGS = ['--max-semi-space-size=8', '--heap-growing-percent=30'] as const;
/** The C library keeps memory apart for each thread, and gives little of it back: two such places are enough. */
export const MEMORY_ENV = { MALLOC_ARENA_MAX: '2' } as const;

/** The launcher script of a program. */
export function formatLauncher(file: string): string {
  const env = Object.entries(MEMORY_ENV).map(([name, value]) => `export ${name}=${value}\n`);
  const flags = MEMORY_FLAGS.join(' ');
  return `#!/bin/sh\n${env.join('')}exec node ${flags} /opt/mooring/lib/${basename(file, '.ts')}.js "$@"\n`;
}

/** koffi with its native part for this platform only, and without sources and documents. */
function copyNative(root: string, dist: string): void {
  const modules = join(dist, 'lib/node_modules');
  const platform = `${process.platform}_${process.arch}`;
  const wanted = (path: string) => !/\/koffi\/(doc|vendor|lib\/native)$/.test(path);
  cpSync(join(root, 'node_modules/koffi'), join(modules, 'koffi'), { recursive: true, filter: wanted });
  const name = `@koromix/koffi-${process.platform}-${process.arch}`;
  const from = join(root, 'node_modules', name);
  const native = (path: string) => !/_(x64|arm64)$/.test(path) || path.endsWith(platform);
  if (existsSync(from)) cpSync(from, join(modules, name), { recursive: true, filter: native });
}

/** Bundles every program there is into `dist`: bin/ with launchers, lib/ with one file per program or worker. */
export async function bundle(root: string, dist: string): Promise<void> {
  rmSync(join(dist, 'lib'), { recursive: true, force: true });
  rmSync(join(dist, 'bin'), { recursive: true, force: true });
  mkdirSync(join(dist, 'lib'), { recursive: true });
  mkdirSync(join(dist, 'bin'), { recursive: true });
  writeFileSync(join(dist, 'lib/package.json'), '{"type":"module"}\n');
  const entries = listEntries(root);
  await build({
    entryPoints: Object.fromEntries(entries.map((file) => [formatBundleName(root, file).replace(/\.js$/, ''), file])),
    outdir: join(dist, 'lib'),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    external: EXTERNAL,
    banner: { js: BANNER },
    sourcesContent: false,
    plugins: [workerPlugin(root)],
    logLevel: 'warning',
  });
  for (const [file, name] of Object.entries(PROGRAMS)) {
    if (!existsSync(join(root, 'src/cli', file))) continue;
    writeFileSync(join(dist, 'bin', name), formatLauncher(file));
    chmodSync(join(dist, 'bin', name), 0o755);
  }
  copyNative(root, dist);
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, '../..');
  await bundle(root, join(root, 'dist'));
}
