import { type ChildProcess, execFile, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Processes of one test, each ended by its own id, the last one first. */
export type Processes = {
  start(command: readonly string[], options?: SpawnOptions): ChildProcess;
  stop(): Promise<void>;
};

export function createProcesses(): Processes {
  const all: ChildProcess[] = [];
  return {
    start: ([program = '', ...args], options = {}) => {
      const child = spawn(program, args, { stdio: 'ignore', ...options });
      child.on('error', () => undefined);
      all.push(child);
      return child;
    },
    stop: async () => {
      for (let child = all.pop(); child !== undefined; child = all.pop()) await end(child, 'SIGKILL');
    },
  };
}

/** Ends one process and waits until it is gone. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

/** Runs a program to its end and gives its standard output; throws with its standard error. */
export function run(command: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    execFile(program, args, { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command.join(' ')}: ${error.message} ${stderr}`));
    });
  });
}
