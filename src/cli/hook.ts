import { runProgram } from './program.ts';

/**
 * Each is a bundle of its own (scripts/build/bundle.ts sees the URLs), loaded only when it is called: the sidecar has to
 * serve within 300 ms, and what talks to the API server would take most of it.
 */
const COMMANDS: Readonly<Record<string, () => Promise<number>>> = {
  serve: async () => {
    const { href } = new URL('./hook-serve.ts', import.meta.url);
    return runProgram(((await import(href)) as typeof import('./hook-serve.ts')).serve);
  },
  sidecar: async () => {
    const { href } = new URL('./hook-sidecar.ts', import.meta.url);
    return runProgram(((await import(href)) as typeof import('./hook-sidecar.ts')).sidecar);
  },
};

const HELP = `mooring-hook: what happens to virtual machines before they run

Usage: mooring-hook COMMAND [options]

  serve       admission webhooks for virtual machines
  sidecar     KubeVirt's hook sidecar, in the pod of one virtual machine

mooring-hook COMMAND --help tells each one's options.
`;

async function main(name: string): Promise<number> {
  const command = Object.entries(COMMANDS).find(([key]) => key === name)?.[1];
  if (command !== undefined) return command();
  const isHelp = name === '--help' || name === '-h';
  (isHelp ? process.stdout : process.stderr).write(HELP);
  return isHelp ? 0 : 1;
}

process.exit(await main(process.argv[2] ?? ''));
