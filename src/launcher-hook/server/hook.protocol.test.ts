import { randomBytes } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startControlPlane, type TestControlPlane } from '../../../test/kube/apiserver.ts';
import { apply, type Method, RELEASE, readTemplate } from '../../../test/kube/rights.ts';
import { NEEDED, teachKinds } from '../../../test/kube/teach.ts';
import { until } from '../../../test/ovsdb/server.ts';
import { KINDS } from '../../api/group.ts';
import {
  type ApiEndpoint,
  createResource,
  createTransport,
  type KubeObject,
  noMetrics,
  systemClock,
  type Transport,
} from '../../kube/index.ts';
import { createRecordingLogger } from '../../kube/testing/recording-logger.ts';
import { type Admission, ALLOWED, type Judge } from '../admission.ts';
import { createJudges } from '../judges.ts';
import {
  CONFIGURATIONS,
  type Configuration,
  parseBundle,
  parseSecret,
  SECRET,
  type Secret,
} from './certificates/secret.ts';
import { CERTIFICATES_NAME, CONFIGURATION_NAME, createHook, type Hook } from './hook.ts';

/** Two replicas, as the chart installs them, called by a real API server through its Service. */
const ACCOUNT = 'mooring-hook';
/** A namespace with the label that says to do without us. */
const IGNORED = 'ignored';
const DEFAULTS = { binding: 'asIs', defaultSubnet: 'default', defaultVpc: 'default', primary: true } as const;
const MARK = 'hook.test/seen';
const SEEN = 'seen by the test';
const HOUR = 3_600_000;
const LONG_MS = 60_000;
const POLICY = {
  names: [`mooring-hook.${RELEASE}.svc`],
  ...{ authorityMs: 1000 * HOUR, servingMs: 1000 * HOUR, settleMs: HOUR, backdateMs: HOUR },
};

type Replica = { readonly hook: Hook; readonly log: ReturnType<typeof createRecordingLogger>; stop(): Promise<void> };

const cleanup = new AsyncDisposableStack();
const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
const asked: Admission[] = [];
/** From the wall clock of the replicas to that of TLS: so far back that the first authority is old when it is turned on. */
let offset = -670 * HOUR;
let plane: TestControlPlane;
let admin: Transport;
let account: ApiEndpoint;
let replicas: Replica[] = [];

beforeAll(async () => {
  cleanup.defer(() => dispatcher.destroy());
  // Without a proxy for Services the API server goes to the endpoints itself.
  plane = await startControlPlane(process.env, { formatArguments: () => ['--enable-aggregator-routing=true'] });
  cleanup.defer(() => plane.stop());
  admin = createTransport({ endpoint: plane.endpoint, clock: systemClock });
  cleanup.defer(() => admin.close());
  await teachKinds(admin, [...NEEDED, KINDS.nad, KINDS.kubevirt]);
  for (const name of [RELEASE, 'team']) await apply(admin, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  const labels = { 'mooring.dev/webhook': 'ignore' };
  await apply(admin, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: IGNORED, labels } } as KubeObject);
  for (const object of await readTemplate('hook.yaml', 'hook.enabled=true')) await apply(admin, object);
  account = await makeAccount();
  replicas = [await startReplica('one'), await startReplica('two')];
  await until(
    'the API server asks us',
    async () => (await create('first', {}, '?dryRun=All')).warning.includes(SEEN),
    LONG_MS,
  );
}, 5 * LONG_MS);
afterAll(() => cleanup.disposeAsync());
beforeEach(() => {
  asked.length = 0;
});

/** What the API server lets the chart's service account do. */
async function makeAccount(): Promise<ApiEndpoint> {
  const path = `api/v1/namespaces/${RELEASE}/serviceaccounts/${ACCOUNT}/token`;
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const { text } = await send(plane.endpoint, 'POST', path, body);
  const { token } = (JSON.parse(text) as { status: { token: string } }).status;
  return { ...plane.endpoint, authorization: async () => `Bearer ${token}` };
}

async function startReplica(name: string): Promise<Replica> {
  const log = createRecordingLogger();
  const transport = createTransport({ endpoint: account, clock: systemClock });
  const hook = createHook({
    ...{ transport, log, metrics: noMetrics, namespace: RELEASE, port: 0, lingerMs: 0, randomBytes },
    clock: { ...systemClock, date: () => new Date(Date.now() + offset) },
    random: Math.random,
    createJudges: (records) => {
      const { mutate, validate } = createJudges(records, DEFAULTS);
      const strictly = { name: 'strict', judge: refuse };
      return { mutate: [...mutate, { name: 'mark', judge: mark }], validate: [...validate, strictly] };
    },
    certificates: POLICY,
  });
  const abort = new AbortController();
  const running = hook.run(abort.signal);
  const stop = async () => {
    abort.abort(new Error('the test ends'));
    await running;
    await transport.close();
  };
  cleanup.defer(stop);
  await until(`replica ${name} is ready`, () => hook.findObstacle() === undefined, LONG_MS);
  const port = Number(log.lines.find(({ message }) => message === 'answers')?.fields.port);
  await apply(admin, formatEndpoint(name, port));
  return { hook, log, stop };
}

/** Marks what it sees, once; what it has marked it leaves alone. */
const mark: Judge = (admission) => {
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

type Answer = { readonly status: number; readonly text: string; readonly warning: string };

async function send(endpoint: ApiEndpoint, method: Method, path: string, body?: object): Promise<Answer> {
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

const VMS = (namespace: string) => `apis/kubevirt.io/v1/namespaces/${namespace}/virtualmachines`;
const VMIS = 'apis/kubevirt.io/v1/namespaces/team/virtualmachineinstances';
const SPEC = { domain: { devices: {} } };
const formatVm = (name: string, annotations: Record<string, string>) => ({
  apiVersion: 'kubevirt.io/v1',
  kind: 'VirtualMachine',
  metadata: { name, annotations },
  spec: { runStrategy: 'Halted', template: { spec: SPEC } },
});
const create = (name: string, annotations: Record<string, string> = {}, query = '', namespace = 'team') =>
  send(plane.endpoint, 'POST', `${VMS(namespace)}${query}`, formatVm(name, annotations));
const change = (path: string, body: object) => send(plane.endpoint, 'PATCH', path, body);

describe('a virtual machine', () => {
  it('is changed by what we say, its user warned', async () => {
    const answer = await create('web');
    expect(answer).toMatchObject({ status: 201, warning: expect.stringContaining(SEEN) });
    expect(JSON.parse(answer.text)).toMatchObject({ metadata: { annotations: { [MARK]: 'yes' } } });
    expect(asked[0]).toMatchObject({ operation: 'CREATE', namespace: 'team', name: 'web', user: { name: 'tester' } });
  });

  it('is refused when we refuse it, and the user reads why', async () => {
    const answer = await create('refused', { refuse: 'x' });
    expect(answer.status).toBe(422);
    expect(answer.text).toContain('validating.hook.mooring.dev');
    expect(answer.text).toContain('never');
  });

  it('is refused for what the operator would say later', async () => {
    const answer = await create('broken', { 'mooring.dev/nics': '{' });
    expect(answer.status).toBe(422);
    expect(answer.text).toContain('mooring.dev/nics');
  });

  it('of a dry run is looked at, and leaves nothing', async () => {
    expect(await create('dry', {}, '?dryRun=All')).toMatchObject({
      status: 201,
      warning: expect.stringContaining(SEEN),
    });
    expect(asked[0]).toMatchObject({ name: 'dry', dryRun: true });
    expect((await send(plane.endpoint, 'GET', `${VMS('team')}/dry`)).status).toBe(404);
  });

  it('is looked at again when its spec or annotations change, and not for a label', async () => {
    await create('changing');
    const path = `${VMS('team')}/changing`;
    const countAfter = async (body: object) => {
      asked.length = 0;
      expect((await change(path, body)).status).toBe(200);
      return asked.filter(({ operation }) => operation === 'UPDATE').length;
    };
    expect(await countAfter({ spec: { runStrategy: 'Always' } })).toBeGreaterThan(0);
    expect(await countAfter({ metadata: { annotations: { note: 'x' } } })).toBeGreaterThan(0);
    expect(await countAfter({ metadata: { labels: { note: 'x' } } })).toBe(0);
  });

  it.each(['kube-system', RELEASE, IGNORED])('in %s is none of our business', async (namespace) => {
    expect(await create('theirs', {}, '', namespace)).toMatchObject({ status: 201, warning: '' });
    expect(asked).toEqual([]);
  });
});

describe("a VMI's status", () => {
  it('comes and goes without us', async () => {
    const vmi = {
      apiVersion: 'kubevirt.io/v1',
      kind: 'VirtualMachineInstance',
      metadata: { name: 'bare' },
      spec: SPEC,
    };
    expect(await send(plane.endpoint, 'POST', VMIS, vmi)).toMatchObject({ status: 201 });
    expect(asked.length).toBeGreaterThan(0);
    asked.length = 0;
    const isServed = (await change(`${VMIS}/bare/status`, { status: { phase: 'Running' } })).status === 200;
    if (!isServed) expect((await change(`${VMIS}/bare`, { status: { phase: 'Running' } })).status).toBe(200);
    const finalizers = { metadata: { finalizers: ['hook.test/wait'] } };
    expect((await change(`${VMIS}/bare`, finalizers)).status).toBe(200);
    await send(plane.endpoint, 'DELETE', `${VMIS}/bare`);
    expect((await change(`${VMIS}/bare`, { metadata: { finalizers: null, annotations: { a: 'b' } } })).status).toBe(
      200,
    );
    expect(asked).toEqual([]);
  });
});

describe('our service account', () => {
  const secrets = `api/v1/namespaces/${RELEASE}/secrets`;
  const configurations = 'apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
  it.each<[string, Method, string, object | undefined]>([
    ['read another Secret', 'GET', `${secrets}/other`, undefined],
    ['list Secrets', 'GET', secrets, undefined],
    ['make a Secret', 'POST', secrets, { metadata: { name: 'other' } }],
    ['delete its own Secret', 'DELETE', `${secrets}/${CERTIFICATES_NAME}`, undefined],
    ["change another one's webhooks", 'PATCH', `${configurations}/other`, { webhooks: [] }],
    ['make webhooks', 'POST', configurations, { metadata: { name: 'other' } }],
    ['change a virtual machine', 'PATCH', `${VMS('team')}/web`, { spec: {} }],
    ['change a LogicalPort', 'PATCH', 'apis/mooring.dev/v1alpha1/namespaces/team/logicalports/x', { spec: {} }],
  ])('may not %s', async (_what, ...[method, path, body]) => {
    expect((await send(account, method, path, body)).status).toBe(403);
  });
});

const readSecret = async () =>
  parseSecret(await createResource<Secret>(admin, SECRET).get({ namespace: RELEASE, name: CERTIFICATES_NAME }));
const readTrusted = () =>
  Promise.all(
    CONFIGURATIONS.map(async (kind) =>
      parseBundle(
        await createResource<Configuration>(admin, kind).get({ name: CONFIGURATION_NAME }),
      ).authorities.join(),
    ),
  );
const whenTrusted = (count: number) =>
  until(
    `${count} authorities are trusted`,
    async () => {
      const { authorities } = await readSecret();
      const wanted = authorities.map(({ fingerprint }) => fingerprint).join();
      const isNoted = authorities.length === count && authorities.every(({ trustedAt }) => trustedAt !== undefined);
      return isNoted && (await readTrusted()).every((trusted) => trusted === wanted);
    },
    LONG_MS,
  );

/** Turns the replicas' clock and has them look, as their timers would at that time. */
async function turnTo(hours: number): Promise<void> {
  offset = hours * HOUR;
  const ref = { namespace: RELEASE, name: CERTIFICATES_NAME };
  await createResource(admin, SECRET).patch(ref, { metadata: { annotations: { turned: String(hours) } } });
}

/** Creates VMs, without storing them, one after the other; every one must have been looked at. */
function startLoad() {
  const missed: Answer[] = [];
  let [count, stopped] = [0, false];
  const follow = async () => {
    while (!stopped) {
      const answer = await create('load', {}, '?dryRun=All');
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

describe('certificates', () => {
  it('and their authority are changed under load without one missed call', { timeout: 5 * LONG_MS }, async () => {
    await whenTrusted(1);
    const load = startLoad();
    await load.whenMore();
    await turnTo(-3);
    await whenTrusted(2);
    await load.whenMore();

    const next = (await readSecret()).authorities[1]?.fingerprint;
    await turnTo(-2);
    await until('a certificate of the next one', async () => (await readSecret()).serving?.issuer === next, LONG_MS);
    const { serving } = await readSecret();
    const shown = new Date(serving?.notAfter ?? 0).toISOString();
    const showsNext = ({ log }: Replica) =>
      log.lines.filter(({ message, fields }) => message.startsWith('shows') && fields.until === shown).length > 0;
    await until('both replicas show it', () => replicas.every(showsNext), LONG_MS);
    await load.whenMore();

    await turnTo(-0.9);
    await whenTrusted(1);
    expect((await readSecret()).authorities[0]?.fingerprint).toBe(next);
    await load.whenMore();
    await load.stop();
    expect(load.missed).toEqual([]);
  });
});

describe('without us', () => {
  it('one replica answers for both, and with none virtual machines are made all the same', async () => {
    const load = startLoad();
    await load.whenMore();
    await createResource(admin, ENDPOINT_SLICE).delete({ namespace: RELEASE, name: 'hook-one' });
    // As long as the API server may still go there, the replica lingers.
    await load.whenMore();
    await load.stop();
    await replicas[0]?.stop();
    expect(load.missed).toEqual([]);
    expect((await create('half')).warning).toContain(SEEN);
    await replicas[1]?.stop();
    expect(await create('alone', { refuse: 'x' })).toMatchObject({ status: 201, warning: '' });
  });
});

const ENDPOINT_SLICE = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
};
