import { parseArgs } from 'node:util';
import type { KubevirtMode } from './state.ts';

export const VERBS = ['up', 'down', 'status', 'kubeconfig', 'images', 'help'] as const;
export type Verb = (typeof VERBS)[number];
export type LabArguments = { readonly verb: Verb; readonly kubevirt: KubevirtMode; readonly nodes: number };

export const HELP = `usage: node test/lab/lab.ts <verb> [flags]

  up          bring the lab up; quick when it is up already
      --kubevirt=internal|external   external: only KubeVirt's node half, somebody else runs the controllers
      --nodes=3                      number of nodes, 1 to 9
  images      make the product's images anew and load what changed
  status      what runs, and what is wrong
  kubeconfig  print the administrator's kubeconfig path
  down        remove every trace, also of an aborted run
  help        this text

environment: MOORING_LAB (state, default /var/lib/mooring-lab), MOORING_CACHE (default ~/.cache/mooring)
`;

/** The command line was wrong; the message says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Parses the command line (without program and script); throws UsageError. A lone \`--\` is ignored, as make passes it. */
export function parseArguments(argv: readonly string[]): LabArguments {
  const { values, positionals } = readFlags(argv.filter((word) => word !== '--'));
  const [verb = values.help === true ? 'help' : undefined, ...rest] = positionals;
  const known = VERBS.find((candidate) => candidate === verb);
  if (known === undefined) throw new UsageError(verb === undefined ? 'a verb is missing' : `unknown verb ${verb}`);
  if (rest.length > 0) throw new UsageError(`unexpected ${rest.join(' ')}`);
  return { verb: known, kubevirt: parseMode(values.kubevirt), nodes: parseCount(values.nodes) };
}

function readFlags(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        kubevirt: { type: 'string', default: 'internal' },
        nodes: { type: 'string', default: '3' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function parseMode(value: string): KubevirtMode {
  if (value === 'internal' || value === 'external') return value;
  throw new UsageError(`--kubevirt is internal or external, not ${value}`);
}

function parseCount(value: string): number {
  if (!/^[1-9]$/.test(value)) throw new UsageError(`--nodes is a number from 1 to 9, not ${value}`);
  return Number(value);
}
