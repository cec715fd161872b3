import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../kube/index.ts';
import type { Links } from './context.ts';

/** A child that has ended and that nobody has waited for. With its time of birth it is one life of a number. */
export type Zombie = { readonly pid: number; readonly bornAt: string };

export type ZombieReaper = {
  /** Reaps what was dead at the round before already; says how many. */
  round(): Promise<number>;
};

export type ZombieOptions = {
  readonly links: Links;
  readonly log: Logger;
  /** Our own process id. */
  readonly parent: number;
  /** Where the kernel tells of processes; /proc if absent. */
  readonly proc?: string;
};

/**
 * The agent is the first process of its container, and a container has nobody else to take orphans: what the plugin of
 * another one has started and left behind, when that was killed at its deadline, becomes our child and stays a zombie.
 *
 * Node waits for each child of its own by number as soon as one ends, and must not be forestalled: it would wait for ever.
 * So only what is dead at two rounds is reaped. Node's own children never are, as it has turned in between.
 */
export function createZombieReaper({ links, log, parent, proc = '/proc' }: ZombieOptions): ZombieReaper {
  let before: ReadonlySet<string> = new Set();
  return {
    round: async () => {
      const dead = await listZombies(proc, parent);
      const due = dead.filter((zombie) => before.has(formatLife(zombie)));
      before = new Set(dead.map(formatLife));
      if (due.length === 0) return 0;
      const { reaped } = await links.run({ kind: 'reapChildren', pids: due.map(({ pid }) => pid) });
      if (reaped.length > 0) log.info({ reaped }, 'processes that others had left to us were reaped');
      return reaped.length;
    },
  };
}

const formatLife = ({ pid, bornAt }: Zombie): string => `${pid} ${bornAt}`;

/** Every zombie whose parent is `parent`, by proc(5). */
export async function listZombies(proc: string, parent: number): Promise<readonly Zombie[]> {
  const names = (await readdir(proc)).filter((name) => /^[1-9][0-9]*$/.test(name));
  const found = await Promise.all(
    names.map(async (name) => {
      // One that has gone meanwhile is none.
      const {
        state,
        parent: its,
        bornAt,
      } = parseStat(await readFile(join(proc, name, 'stat'), 'utf8').catch(() => ''));
      return state === 'Z' && its === parent ? [{ pid: Number(name), bornAt }] : [];
    }),
  );
  return found.flat();
}

/** State, parent and time of birth out of /proc/<pid>/stat. The name before them may hold blanks and brackets. */
export function parseStat(text: string): { state: string; parent: number; bornAt: string } {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', parent: Number(fields[1] ?? 0), bornAt: fields[19] ?? '' };
}
