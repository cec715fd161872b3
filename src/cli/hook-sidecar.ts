import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { runSidecar, SOCKET_DIRECTORY } from '../launcher-hook/sidecar/run.ts';
import type { Program } from './program.ts';

const OPTIONS = {
  directory: { type: 'string', default: SOCKET_DIRECTORY },
  'configure-guest': { type: 'boolean', default: false },
  'log-level': { type: 'string', default: 'info' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const HELP = `mooring-hook sidecar: KubeVirt's hook sidecar, in the pod of one virtual machine

Usage: mooring-hook sidecar [options]

  --configure-guest       also fill in cloud-init's network data. Only for machines that have a cloud-init volume:
                          without one KubeVirt's launcher dies of it
  --directory DIR         where the launcher looks for sockets (default: ${SOCKET_DIRECTORY})
  --log-level LEVEL       debug, info, warn or error (default: info)
`;

type Values = ReturnType<typeof parse>;

function parse() {
  return parseArgs({ options: OPTIONS, strict: true, args: process.argv.slice(3) }).values;
}

async function run(values: Values): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort(new Error(signal)));
  await runSidecar({
    directory: values.directory,
    configureGuest: values['configure-guest'],
    suffix: randomBytes(8).toString('hex'),
    signal: stop.signal,
    logger: pino({ level: values['log-level'], base: {} }),
  });
}

export const sidecar: Program<Values> = { name: 'mooring-hook sidecar', help: HELP, parse, run };
