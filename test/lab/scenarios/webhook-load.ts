import { argv, env } from 'node:process';
import { parseArgs } from 'node:util';
import { ApiError, createTransport, loadEndpoint, systemClock, type Transport } from '../../../src/kube/index.ts';
import { type Context, expectSoon, listThings } from '../demo/context.ts';
import { RELEASE_NAMESPACE } from '../demo/install.ts';
import { findStateDir, loadState } from '../state.ts';
import { patchThing } from './things.ts';
import { addTimes, countTimes, findQuantile, parseTimes, subtractTimes, type Times } from './webhook-times.ts';
import { closeNamespace, openNamespace } from './world.ts';

/** What the webhook writes for a NIC of which its user says nothing, in a namespace opened by `openJudged`. */
const WRITTEN = 'masquerade';
/** In no subnet of the lab. */
export const STRANGE_IP = '10.99.0.1';
const METRICS_PORT = 9479;
const FOLLOWERS = 2;
/** The API server waits 2 s for each of two webhooks that do not answer. */
const CALL_MS = 10_000;
const UNTIL_KNOWN_SECONDS = 30;

/** Virtual machines that are written, and not kept, one after the other; none of these calls may go by the webhook. */
export type Load = {
  /** What was let through unseen, and what was answered with another error than the webhook's own. */
  readonly missed: string[];
  readonly failed: string[];
  /** Awaits so many more calls. */
  whenMore(calls: number): Promise<void>;
  stop(): Promise<void>;
};

/** As the lab's administrator. The caller closes it. */
export async function openTransport({ lab }: Pick<Context, 'lab'>): Promise<Transport> {
  const endpoint = await loadEndpoint({ source: { kind: 'kubeconfig', path: lab.adminKubeconfig } });
  return createTransport({ endpoint, clock: systemClock, userAgent: 'webhook-load' });
}

/** A namespace whose NICs get a binding by policy; ready when both webhooks know of it and are asked. */
export async function openJudged(context: Context, transport: Transport, namespace: string): Promise<void> {
  await openNamespace(context, namespace);
  await patchThing(context, ['namespace', namespace], {
    metadata: { annotations: { 'mooring.dev/binding': WRITTEN } },
  });
  await expectJudged(transport, namespace);
}

/** Awaits that both webhooks are asked. */
export async function expectJudged(transport: Transport, namespace: string): Promise<void> {
  await expectSoon(`the webhooks asked about ${namespace}`, UNTIL_KNOWN_SECONDS, async () => {
    const answers = [await askWrite(transport, namespace), await askRefusal(transport, namespace)];
    return answers.every((answer) => answer === 'judged') || undefined;
  });
}

/** A virtual machine with one NIC on the pod network of which nothing is said but, maybe, its address. */
export function formatOpenVm(namespace: string, name: string, ip?: string): object {
  const annotations = ip === undefined ? {} : { 'ovn.kubernetes.io/ip_address': ip };
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name, namespace },
    spec: {
      runStrategy: 'Halted',
      template: {
        metadata: { annotations },
        spec: {
          terminationGracePeriodSeconds: 5,
          domain: { memory: { guest: '128Mi' }, devices: { interfaces: [{ name: 'default' }] } },
          networks: [{ name: 'default', pod: {} }],
        },
      },
    },
  };
}

type Nic = { readonly masquerade?: object };
type Vm = { readonly spec: { readonly template: { readonly spec: { domain: { devices: { interfaces: Nic[] } } } } } };
type Answer = 'judged' | 'missed' | { readonly failure: string };

function write(transport: Transport, namespace: string, vm: object): Promise<unknown> {
  const path = `/apis/kubevirt.io/v1/namespaces/${namespace}/virtualmachines`;
  return transport.request({ method: 'POST', path, query: { dryRun: 'All' }, body: vm, timeoutMs: CALL_MS });
}

/** One call of the mutating webhook: it was asked when it has written its binding. */
async function askWrite(transport: Transport, namespace: string): Promise<Answer> {
  try {
    const { spec } = (await write(transport, namespace, formatOpenVm(namespace, 'load'))) as Vm;
    const [nic] = spec.template.spec.domain.devices.interfaces;
    return nic?.[WRITTEN] === undefined ? 'missed' : 'judged';
  } catch (error) {
    return { failure: String(error) };
  }
}

/** One call of the validating webhook: it was asked when it has refused. */
async function askRefusal(transport: Transport, namespace: string): Promise<Answer> {
  try {
    await write(transport, namespace, formatOpenVm(namespace, 'load', STRANGE_IP));
    return 'missed';
  } catch (error) {
    const isOurs = error instanceof ApiError && error.message.includes('AddressOutsideSubnet');
    return isOurs ? 'judged' : { failure: String(error) };
  }
}

/** Calls both webhooks all the time until it is stopped. */
export function startLoad(transport: Transport, namespace: string): Load {
  const [missed, failed]: [string[], string[]] = [[], []];
  let [count, stopped] = [0, false];
  const note = (which: string, answer: Answer) => {
    count += 1;
    if (answer === 'missed') missed.push(`${which} at call ${count}`);
    if (typeof answer === 'object') failed.push(`${which} at call ${count}: ${answer.failure}`);
  };
  const follow = async () => {
    while (!stopped) {
      note('the mutating one', await askWrite(transport, namespace));
      note('the validating one', await askRefusal(transport, namespace));
    }
  };
  const running = Promise.all(Array.from({ length: FOLLOWERS }, follow));
  return {
    missed,
    failed,
    whenMore: async (calls) => {
      const least = count + calls;
      await expectSoon(`${calls} more calls`, 120, async () => count >= least || undefined);
    },
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}

/** What all replicas have measured since they started. */
export async function readTimes(context: Context): Promise<Times> {
  const pods = await listThings(context, 'pods', ['-n', RELEASE_NAMESPACE, '-l', 'app=mooring-hook']);
  const all = pods.map(async ({ status }) => {
    const answer = await fetch(`http://${status.hostIP}:${METRICS_PORT}/metrics`, {
      signal: AbortSignal.timeout(5000),
    });
    return parseTimes(await answer.text());
  });
  return addTimes(await Promise.all(all));
}

/** The replicas' own times of so many answers, or a few more. */
export async function measureAnswers(
  context: Context,
  transport: Transport,
  { namespace, calls }: Measuring,
): Promise<Times> {
  const before = await readTimes(context);
  const load = startLoad(transport, namespace);
  await load.whenMore(calls).finally(load.stop);
  return subtractTimes(await readTimes(context), before);
}

export type Measuring = { readonly namespace: string; readonly calls: number };

export function formatTimes(times: Times): string {
  const [p50, p99] = [0.5, 0.99].map((share) => `p${share * 100} ${findQuantile(times, share).toFixed(1)} ms`);
  return `${countTimes(times)} answers of the webhook: ${p50}, ${p99}`;
}

const HELP = `Calls the webhooks of the lab's Mooring and prints how long they took by their own metric.

  node test/lab/scenarios/webhook-load.ts [--calls=4000]`;

async function main(): Promise<void> {
  const options = { calls: { type: 'string', default: '4000' }, help: { type: 'boolean' } } as const;
  const { values } = parseArgs({ args: argv.slice(2), options });
  if (values.help) return console.log(HELP);
  const [namespace, calls] = ['webhook-load', Number(values.calls)];
  const lab = loadState(findStateDir(env));
  const context: Context = { lab, root: '', out: '', say: console.log, children: new Set() };
  const transport = await openTransport(context);
  try {
    await openJudged(context, transport, namespace);
    console.log(formatTimes(await measureAnswers(context, transport, { namespace, calls })));
  } finally {
    await closeNamespace(context, namespace);
    await transport.close();
  }
}

if (import.meta.main) await main();
