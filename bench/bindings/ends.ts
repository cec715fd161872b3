import { runCommand } from '../../test/lab/command.ts';
import { type Context, expectSoon, listThings, startChild, type Thing } from '../../test/lab/demo/context.ts';
import { findPodPid } from '../../test/lab/demo/pods.ts';
import type { GuestAnswer } from '../../test/lab/guest/console.ts';
import { formatGroupCommand, GUEST_CGROUP } from '../../test/lab/process.ts';
import { MACVLAN, NAMESPACE } from './objects.ts';
import type { Path, Placement } from './plan.ts';

/** Where `flow` answers, and where it is handed to guests. */
export const PORTS = { serve: 5201, give: 5202 } as const;

/** One end of a path: its address, and what `flow` prints there. `run` throws when it fails or takes longer. */
export type End = {
  readonly name: string;
  readonly ip: string;
  run(args: readonly (string | number)[], timeoutMs: number): Promise<string>;
};

/** Who is measured, and from where. */
export type Scene = { readonly target: End; from(path: Path, placement: Placement): End };

/** A pod that runs: its network namespace as a path, and its addresses. */
export type PodFacts = {
  readonly name: string;
  readonly pid: number;
  readonly netns: string;
  readonly ip: string;
  /** Of its macvlan interface, where it has one. */
  readonly macvlanIp: string | undefined;
};

const NETWORK_STATUS = 'k8s.v1.cni.cncf.io/network-status';
const POD_SECONDS = 60;
const GUEST_SECONDS = 60;

/** Awaits that pods run. */
export async function awaitPods(context: Context, names: readonly string[]): Promise<PodFacts[]> {
  const things = await expectSoon(`pods ${names.join(', ')} running`, POD_SECONDS, async () => {
    const pods = await listThings(context, 'pods', ['-n', NAMESPACE]);
    const running = pods.filter(({ metadata, status }) => names.includes(metadata.name) && status?.phase === 'Running');
    return running.length === names.length ? running : undefined;
  });
  return Promise.all(things.map((pod) => readFacts(context, pod)));
}

async function readFacts(context: Context, pod: Thing): Promise<PodFacts> {
  const pid = await findPodPid(context, pod, 'main');
  const status = JSON.parse(pod.metadata.annotations?.[NETWORK_STATUS] ?? '[]') as {
    interface?: string;
    ips?: string[];
  }[];
  const macvlanIp = status.find((one) => one.interface === MACVLAN.nic)?.ips?.[0];
  return { name: pod.metadata.name, pid, netns: `/proc/${pid}/ns/net`, ip: String(pod.status.podIP), macvlanIp };
}

/** Programs in pods have the guests' share of the processor: else the ends of a path would not be measured alike. */
const inPod = (pod: PodFacts, argv: readonly string[]): string[] =>
  formatGroupCommand(GUEST_CGROUP, ['nsenter', `--net=${pod.netns}`, '--', ...argv]);

/** A pod as an end of a path, by one of its addresses. */
export function createPodEnd(pod: PodFacts, ip: string, flow: string): End {
  const run: End['run'] = (args, timeoutMs) => runCommand(inPod(pod, [flow, ...args.map(String)]), { timeoutMs });
  return { name: pod.name, ip, run };
}

/** Starts `flow` in a pod, to be ended with the benchmark. */
export function startFlow(context: Context, pod: PodFacts, argv: readonly string[]): void {
  startChild(context, inPod(pod, argv));
}

/** Runs a shell line in a guest; throws when there is no answer in time. */
export type Console = (line: string, timeoutMs: number) => Promise<GuestAnswer>;

/** A guest as an end of a path. */
export function createGuestEnd(name: string, ip: string, ask: Console): End {
  const run: End['run'] = async (args, timeoutMs) => {
    const { output, code } = await ask(['flow', ...args].join(' '), timeoutMs);
    if (code !== 0) throw new Error(`${name}: flow ${args.join(' ')}: ${output.trim() || `exit ${code}`}`);
    return output;
  };
  return { name, ip, run };
}

/** What a guest fetches: from where, and how it tells that it has the whole of it. */
export type Gift = { readonly from: string; readonly sha256: string };

/**
 * Brings `flow` into a guest over the network that is to be measured, so that any guest will do, also one of a lab that was
 * brought up by an older checkout; then lets it answer. Throws when the guest has not got it in a minute.
 */
export async function installFlow(name: string, ask: Console, { from, sha256 }: Gift): Promise<void> {
  const fetch = `killall flow 2>/dev/null; nc -w 10 ${from} ${PORTS.give} </dev/null >/bin/flow; chmod +x /bin/flow`;
  const line = `${fetch}; sha256sum /bin/flow; flow daemon ${PORTS.serve} && echo serves`;
  await expectSoon(`flow in the guest of ${name}`, GUEST_SECONDS, async () => {
    const output = await ask(line, 30_000).then(
      (answer) => answer.output,
      () => '', // still booting, or its network is not there yet
    );
    return output.includes(sha256) && output.includes('serves') ? true : undefined;
  });
}
