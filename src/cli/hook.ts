import { runProgram } from './program.ts';

/** Each is loaded only when it is called: what one of them needs is of no use to the others. */
const COMMANDS: Readonly<Record<string, () => Promise<number>>> = {
  serve: async () => runProgram((await import('./hook-serve.ts')).serve),
  sidecar: async () => runProgram((await import('./hook-sidecar.ts')).sidecar),
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
