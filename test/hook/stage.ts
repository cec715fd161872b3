import { randomBytes } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { Agent, request } from 'undici';
import { KINDS } from '../../src/api/group.ts';
import {
  type ApiEndpoint,
  createResource,
  createTransport,
  type KubeObject,
  noMetrics,
  systemClock,
  type Transport,
} from '../../src/kube/index.ts';
import { createRecordingLogger } from '../../src/kube/testing/recording-logger.ts';
import { type Admission, ALLOWED, type Judge } from '../../src/launcher-hook/admission.ts';
import { createJudges } from '../../src/launcher-hook/judges.ts';
import {
  CONFIGURATIONS,
  type Configuration,
  parseBundle,
  parseSecret,
  SECRET,
  type Secret,
  type Vault,
} from '../../src/launcher-hook/server/certificates/secret.ts';
import {
  CERTIFICATES_NAME,
  CONFIGURATION_NAME,
  createHook,
  type Hook,
  type HookOptions,
} from '../../src/launcher-hook/server/hook.ts';
import { startControlPlane } from '../kube/apiserver.ts';
import { apply, type Method, RELEASE, readTemplate } from '../kube/rights.ts';
import { NEEDED, teachKinds } from '../kube/teach.ts';
import { until } from '../ovsdb/server.ts';

/** What each replica says of all that it sees. */
export const SEEN = 'seen by the test';
/** The annotation that it puts there. */
export const MARK = 'hook.test/seen';
export const HOUR = 3_600_000;
export const LONG_MS = 60_000;
const ACCOUNT = 'mooring-hook';
const DEFAULTS = { binding: 'asIs', defaultSubnet: 'default', defaultVpc: 'default', primary: true } as const;
const POLICY = {
  names: [`mooring-hook.${RELEASE}.svc`],
  ...{ authorityMs: 1000 * HOUR, servingMs: 1000 * HOUR, settleMs: HOUR, backdateMs: HOUR },
};

export type Replica = {
  readonly hook: Hook;
  readonly log: ReturnType<typeof createRecordingLogger>;
  stop(): Promise<void>;
};
export type Answer = { readonly status: number; readonly text: string; readonly warning: string };

/** Virtual machines that are made without being stored, one after the other; every one must have been looked at. */
export type Load = {
  readonly missed: readonly Answer[];
  whenMore(): Promise<void>;
  stop(): Promise<void>;
};

/** The webhook as the chart installs it, called by a real API server through its Service. */
export type HookStage = AsyncDisposable & {
  readonly endpoint: ApiEndpoint;
  readonly admin: Transport;
  /** What the API server lets the chart's service account do. */
  readonly account: ApiEndpoint;
  /** What replicas were asked. */
  readonly asked: Admission[];
  /** A replica behind the Service; ready unless `waits` says to leave that to the caller. */
  startReplica(name: string, options?: Partial<HookOptions> & { readonly waits?: false }): Promise<Replica>;
  /** Takes it out of the Service. */
  unlist(name: string): Promise<void>;
  send(endpoint: ApiEndpoint, method: Method, path: string, body?: object): Promise<Answer>;
  /** Makes a halted VirtualMachine; one with the annotation `refuse` is refused by every replica. */
  create(name: string, more?: CreateOptions): Promise<Answer>;
  readSecret(): Promise<Vault>;
  /** Both configurations trust exactly the authorities of the Secret, that many, and it is written down. */
  whenTrusted(count: number): Promise<void>;
  /** Turns the replicas' clock, by hours from now, and has them look, as their timers would at that time. */
  turnTo(hours: number): Promise<void>;
  startLoad(): Load;
};

export type CreateOptions = {
  readonly annotations?: Record<string, string>;
  readonly query?: string;
  readonly namespace?: string;
  readonly spec?: object;
};

export const formatVmsPath = (namespace: string): string =>
  `apis/kubevirt.io/v1/namespaces/${namespace}/virtualmachines`;

/** How replicas see time: `offset` in hours from now; their waits pass `speed` times as quickly. */
export type StageTime = { readonly offset: number; readonly speed?: number };

export async function openHookStage({ offset, speed = 1 }: StageTime): Promise<HookStage> {
  await using cleanup = new AsyncDisposableStack();
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  cleanup.defer(() => dispatcher.destroy());
  // Without a proxy for Services the API server goes to the endpoints itself.
  const formatArguments = () => ['--enable-aggregator-routing=true'];
  const { endpoint, stop } = await startControlPlane(process.env, { formatArguments });
  cleanup.defer(stop);
  const admin = createTransport({ endpoint, clock: systemClock });
  cleanup.defer(() => admin.close());
  await teachKinds(admin, [...NEEDED, KINDS.nad, KINDS.kubevirt]);
  for (const name of [RELEASE, 'team']) await apply(admin, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  for (const object of await readTemplate('hook.yaml', 'hook.enabled=true')) await apply(admin, object);
  const send: HookStage['send'] = (...call) => sendCall(dispatcher, ...call);
  const asked: Admission[] = [];
  const time = { offset: offset * HOUR, speed };
  const account = await makeAccount(endpoint, send);
  const create: HookStage['create'] = (name, more) => createVm((...call) => send(endpoint, ...call), name, more);
  const readSecret = async () =>
    parseSecret(await createResource<Secret>(admin, SECRET).get({ namespace: RELEASE, name: CERTIFICATES_NAME }));
  const owned = cleanup.move();
  return {
    ...{ endpoint, admin, account, asked, send, create, readSecret },
    startReplica: async (name, { waits, ...options } = {}) => {
      const replica = await startReplica({ account, asked, time }, options);
      owned.defer(replica.stop);
      if (waits !== false) {
        await until(`replica ${name} is ready`, () => replica.hook.findObstacle() === undefined, LONG_MS);
      }
      const port = await until(`the port of ${name}`, () => findPort(replica), LONG_MS);
      await apply(admin, formatEndpoint(name, port));
      return replica;
    },
    unlist: (name) =>
      createResource(admin, ENDPOINT_SLICE)
        .delete({ namespace: RELEASE, name: `hook-${name}` })
        .then(() => undefined),
    whenTrusted: (count) => whenTrusted(admin, readSecret, count),
    turnTo: async (hours) => {
      time.offset = hours * HOUR;
      const ref = { namespace: RELEASE, name: CERTIFICATES_NAME };
      await createResource(admin, SECRET).patch(ref, { metadata: { annotations: { turned: String(hours) } } });
    },
    startLoad: () => startLoad(create),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type Backstage = {
  readonly account: ApiEndpoint;
  readonly asked: Admission[];
  readonly time: Required<StageTime>;
};

async function startReplica({ account, asked, time }: Backstage, options: Partial<HookOptions>): Promise<Replica> {
  const log = createRecordingLogger();
  const transport = createTransport({ endpoint: account, clock: systemClock });
  const hook = createHook({
    ...{ transport, log, metrics: noMetrics, namespace: RELEASE, port: 0, lingerMs: 0, randomBytes },
    clock: {
      now: systemClock.now,
      date: () => new Date(Date.now() + time.offset),
      schedule: (delayMs, run) => systemClock.schedule(delayMs / time.speed, run),
    },
    random: Math.random,
    createJudges: (records) => {
      const { mutate, validate } = createJudges(records, DEFAULTS);
      const marking = { name: 'mark', judge: makeMark(asked) };
      return { mutate: [...mutate, marking], validate: [...validate, { name: 'strict', judge: refuse }] };
    },
    certificates: POLICY,
    ...options,
  });
  const abort = new AbortController();
  const running = hook.run(abort.signal);
  const stop = async () => {
    abort.abort(new Error('the test ends'));
    await running;
    await transport.close();
  };
  return { hook, log, stop };
}

function findPort({ log }: Replica): number | undefined {
  return log.lines.find(({ message }) => message === 'listens')?.fields.port as number | undefined;
}

/** Marks what it sees, once; what it has marked it leaves alone. */
const makeMark =
  (asked: Admission[]): Judge =>
  (admission) => {
    asked.push(admission);
    const { metadata } = admission.object as { metadata: { annotations?: Record<string, string> } };
    const warnings = [SEEN];
    if (metadata.annotations?.[MARK] !== undefined) return { ...ALLOWED, warnings };
    const value = { ...metadata.annotations, [MARK]: 'yes' };
    return { ...ALLOWED, warnings, patch: [{ op: 'add', path: '/metadata/annotations', value }] };
  };

const refuse: Judge = ({ object }) => {
  const { metadata } = object as { metadata: { annotations?: Record<string, string> } };
  return metadata.annotations?.refuse === undefined ? ALLOWED : { ...ALLOWED, allowed: false, message: 'never' };
};

async function makeAccount(endpoint: ApiEndpoint, send: HookStage['send']): Promise<ApiEndpoint> {
  const path = `api/v1/namespaces/${RELEASE}/serviceaccounts/${ACCOUNT}/token`;
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const { text } = await send(endpoint, 'POST', path, body);
  const { token } = (JSON.parse(text) as { status: { token: string } }).status;
  return { ...endpoint, authorization: async () => `Bearer ${token}` };
}

const ENDPOINT_SLICE = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
};

/** One endpoint of the Service, at an address that others than this host could have: loopback is not allowed. */
function formatEndpoint(name: string, port: number): KubeObject {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const address = addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
  if (address === undefined) throw new Error('this host has no IPv4 address but loopback');
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `hook-${name}`, namespace: RELEASE, labels: { 'kubernetes.io/service-name': 'mooring-hook' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true, serving: true } }],
    ports: [{ name: 'webhook', port, protocol: 'TCP' }],
  };
  return slice;
}

async function sendCall(dispatcher: Agent, ...[endpoint, method, path, body]: Parameters<HookStage['send']>) {
  const answer = await request(`${endpoint.server}/${path}`, {
    ...{ method, dispatcher, body: body === undefined ? null : JSON.stringify(body) },
    headers: {
      authorization: (await endpoint.authorization?.()) ?? '',
      'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
    },
  });
  const warning = [answer.headers.warning ?? []].flat().join();
  return { status: answer.statusCode, text: await answer.body.text(), warning };
}

type Post = (method: Method, path: string, body: object) => Promise<Answer>;
const SPEC = { domain: { devices: {} } };

function createVm(send: Post, name: string, more: CreateOptions = {}): Promise<Answer> {
  const { annotations = {}, query = '', namespace = 'team', spec = SPEC } = more;
  const vm = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name, annotations },
    spec: { runStrategy: 'Halted', template: { spec } },
  };
  return send('POST', `${formatVmsPath(namespace)}${query}`, vm);
}

async function readTrusted(admin: Transport): Promise<string[]> {
  const configurations = CONFIGURATIONS.map((kind) =>
    createResource<Configuration>(admin, kind).find({ name: CONFIGURATION_NAME }),
  );
  return (await Promise.all(configurations)).flatMap((one) => (one ? parseBundle(one).authorities.join() : []));
}

function whenTrusted(admin: Transport, readSecret: () => Promise<Vault>, count: number): Promise<void> {
  const isTrusted = async () => {
    const { authorities } = await readSecret();
    const wanted = authorities.map(({ fingerprint }) => fingerprint).join();
    const isNoted = authorities.length === count && authorities.every(({ trustedAt }) => trustedAt !== undefined);
    return isNoted && (await readTrusted(admin)).every((trusted) => trusted === wanted);
  };
  return until(`${count} authorities are trusted`, isTrusted, LONG_MS).then(() => undefined);
}

function startLoad(create: HookStage['create']): Load {
  const missed: Answer[] = [];
  let [count, stopped] = [0, false];
  const follow = async () => {
    while (!stopped) {
      const answer = await create('load', { query: '?dryRun=All' });
      if (answer.status !== 201 || !answer.warning.includes(SEEN)) missed.push(answer);
      count += 1;
    }
  };
  const running = Promise.all([follow(), follow()]);
  return {
    missed,
    whenMore: async () => {
      const least = count + 20;
      await until('more load', () => count >= least, LONG_MS);
    },
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}
