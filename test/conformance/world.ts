import { run } from '../../src/cni/daemon/testing/processes.ts';
import { callPlugin, PROGRAMS } from './call.ts';
import type { Change, Place, Running, Sandbox, Verb, Version, World } from './model.ts';

let counter = 0;

/** A world for one case, and how it ends: DEL for every sandbox, whatever it says, then the sandboxes go. */
export function createWorld(running: Running, version: Version): { world: World; end(): Promise<void> } {
  const sandboxes: Sandbox[] = [];
  const steps: (() => Promise<unknown>)[] = [];
  const add = async (place: Place): Promise<Sandbox> => {
    const sandbox = { ...place, args: await running.prepare(place) };
    sandboxes.push(sandbox);
    return sandbox;
  };
  const world: World = {
    running,
    version,
    sandbox: async () => {
      counter += 1;
      const netns = `mcf-${process.pid}-${counter}`;
      await run(['ip', 'netns', 'add', netns]);
      await run(['ip', '-n', netns, 'link', 'set', 'lo', 'up']);
      const path = `/run/netns/${netns}`;
      return add({ containerId: `conformance-${process.pid}-${counter}`, ifname: 'eth0', netns, path });
    },
    further: (sandbox, ifname) => add({ ...sandbox, ifname }),
    call: (verb, sandbox, change = {}) => {
      const stdin = formatStdin(running, version, change);
      const env = dropAbsent({ ...formatEnv(running, verb, sandbox), ...change.env });
      return callPlugin({ binary: running.binary, netns: running.netns, env, stdin });
    },
    exec: (netns, ...argv) => run(['nsenter', `--net=/run/netns/${netns ?? running.netns}`, ...argv]),
    defer: (step) => {
      steps.push(step);
    },
  };
  const end = async () => {
    for (const step of steps.toReversed()) await step();
    for (const sandbox of sandboxes.toReversed()) {
      await world.call('DEL', sandbox);
      await running.forget(sandbox);
    }
    // A case may have taken the namespace away already.
    for (const netns of new Set(sandboxes.map((sandbox) => sandbox.netns))) {
      await run(['ip', 'netns', 'delete', netns]).catch(() => undefined);
    }
  };
  return { world, end };
}

/** All CNI variables are there, as containerd leaves them: those that do not concern the verb are empty. */
function formatEnv(running: Running, verb: Verb, sandbox: Sandbox | undefined): Record<string, string> {
  return {
    PATH: PROGRAMS,
    CNI_COMMAND: verb,
    CNI_CONTAINERID: sandbox?.containerId ?? '',
    CNI_NETNS: sandbox?.path ?? '',
    CNI_IFNAME: sandbox?.ifname ?? '',
    CNI_ARGS: sandbox?.args ?? '',
    CNI_PATH: running.path,
  };
}

/** What a runtime passes on for one plugin (specification, section 3). */
export function formatStdin(running: Pick<Running, 'config'>, version: Version, { stdin, config }: Change): string {
  return stdin ?? JSON.stringify({ cniVersion: version, ...running.config(), ...config });
}

function dropAbsent(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
