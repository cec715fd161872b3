import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** What is in src/plan itself is what its folders share; they stand on one another in this order. */
const PLAN = [
  'src/plan',
  'src/plan/networks',
  'src/plan/wishes',
  'src/plan/requests',
  'src/plan/ports',
  'src/plan/migration-network',
  'src/plan/policies',
];
const UNDER_PLAN = ['src/api', 'src/migration', 'src/ipam', 'types:src/ovn'];

/** Which folder may import which; `types:` means type-only imports. DESIGN.md section 9 is the source. */
export const MAY_IMPORT: Record<string, readonly string[]> = {
  'src/api': [],
  'src/ovsdb': [],
  'src/netlink': [],
  'src/cni/protocol.ts': [],
  'src/ovn': ['src/ovsdb', 'src/api'],
  'src/ovs': ['src/ovsdb', 'src/api'],
  'src/kube': ['src/api'],
  'src/ipam': ['src/api'],
  'src/migration': ['src/api', 'types:src/ovn'],
  'src/plan': UNDER_PLAN,
  'src/plan/networks': [...UNDER_PLAN, 'src/plan'],
  'src/plan/wishes': UNDER_PLAN,
  'src/plan/requests': [...UNDER_PLAN, 'src/plan', 'src/plan/networks', 'src/plan/wishes'],
  'src/plan/ports': [...UNDER_PLAN, 'src/plan', 'src/plan/networks', 'src/plan/requests', 'types:src/plan/wishes'],
  'src/plan/migration-network': [
    ...UNDER_PLAN,
    'src/plan',
    'src/plan/networks',
    'src/plan/requests',
    'src/plan/wishes',
  ],
  'src/plan/policies': [...UNDER_PLAN, 'src/plan', 'src/plan/networks', 'src/plan/requests'],
  'src/operator': ['src/api', ...PLAN, 'src/migration', 'src/ipam', 'src/kube', 'src/ovn', 'src/ovsdb'],
  'src/launcher-hook': ['src/api', ...PLAN, 'src/ipam', 'src/kube'],
  'src/cni/daemon': ['src/api', 'src/cni/protocol.ts', ...PLAN, 'src/kube', 'src/ovs', 'src/ovsdb', 'src/netlink'],
  'src/cni/shim': ['src/cni/protocol.ts'],
  'src/cli': ['src'],
};

const PURE = ['src/ipam', 'src/migration', ...PLAN];
const IMPORT = /^(?:import|export)\s+(type\s)?[^;]*?from\s+'([^']+)'|^import\s+'([^']+)'/gm;

export type ImportFact = { file: string; target: string; typeOnly: boolean };

/** The longest key of the table that holds `path`, or undefined outside `src`. */
export function findFolder(path: string): string | undefined {
  return Object.keys(MAY_IMPORT)
    .filter((key) => path === key || path.startsWith(`${key}/`))
    .sort((a, b) => b.length - a.length)[0];
}

/** Every import of a source text, with relative specifiers resolved to repository paths. */
export function parseImports(file: string, text: string): ImportFact[] {
  return [...text.matchAll(IMPORT)].map((match) => {
    const spec = match[2] ?? match[3] ?? '';
    const target = spec.startsWith('.') ? join(dirname(file), spec) : spec;
    return { file, target, typeOnly: match[1] !== undefined };
  });
}

/** Says what is wrong with one import, or undefined. */
export function checkImport(fact: ImportFact): string | undefined {
  const from = findFolder(fact.file);
  const isTest = fact.file.endsWith('.test.ts');
  if (fact.file.startsWith('src/') && !isTest && /^(test|bench)\//.test(fact.target)) {
    return `src never imports ${fact.target.split('/')[0]}`;
  }
  if (from === undefined || from === 'src/cli') return undefined;
  if (breaksPurity(fact, from)) return `${from} is pure: no ${fact.target}`;
  const to = findFolder(fact.target);
  if (to === undefined || to === from) return undefined;
  return mayImport(from, to, fact.typeOnly) ? undefined : `${from} may not import ${to}`;
}

function breaksPurity(fact: ImportFact, from: string): boolean {
  return PURE.includes(from) && fact.target.startsWith('node:') && !fact.file.endsWith('.test.ts');
}

function mayImport(from: string, to: string, typeOnly: boolean): boolean {
  const allowed = MAY_IMPORT[from] ?? [];
  return allowed.includes(to) || (typeOnly && allowed.includes(`types:${to}`));
}

function listSources(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

function main(root: string): number {
  const facts = listSources(join(root, 'src')).flatMap((path) =>
    parseImports(relative(root, path), readFileSync(path, 'utf8')),
  );
  const wrong = facts.flatMap((fact) => {
    const problem = checkImport(fact);
    return problem === undefined ? [] : [`${fact.file}: ${problem} (${fact.target})`];
  });
  for (const line of wrong) console.error(line);
  return wrong.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(main(resolve(import.meta.dirname, '../..')));
