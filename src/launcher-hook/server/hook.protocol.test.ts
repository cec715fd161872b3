import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  formatVmsPath,
  type HookStage,
  LONG_MS,
  MARK,
  openHookStage,
  type Replica,
  SEEN,
} from '../../../test/hook/stage.ts';
import { apply, type Method, RELEASE } from '../../../test/kube/rights.ts';
import { until } from '../../../test/ovsdb/server.ts';
import type { KubeObject } from '../../kube/index.ts';
import { CERTIFICATES_NAME } from './hook.ts';

/** A namespace with the label that says to do without us. */
const IGNORED = 'ignored';

let stage: HookStage;
let replicas: Replica[] = [];

beforeAll(async () => {
  // So far back that the first authority is old when the clock is turned on.
  stage = await openHookStage({ offset: -670 });
  const labels = { 'mooring.dev/webhook': 'ignore' };
  await apply(stage.admin, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: IGNORED, labels } } as KubeObject);
  replicas = [await stage.startReplica('one'), await stage.startReplica('two')];
  await until(
    'the API server asks us',
    async () => (await stage.create('first', { query: '?dryRun=All' })).warning.includes(SEEN),
    LONG_MS,
  );
}, 5 * LONG_MS);
afterAll(() => stage?.[Symbol.asyncDispose]());
beforeEach(() => {
  stage.asked.length = 0;
});

const VMIS = 'apis/kubevirt.io/v1/namespaces/team/virtualmachineinstances';
const change = (path: string, body: object) => stage.send(stage.endpoint, 'PATCH', path, body);

describe('a virtual machine', () => {
  it('is changed by what we say, its user warned', async () => {
    const answer = await stage.create('web');
    expect(answer).toMatchObject({ status: 201, warning: expect.stringContaining(SEEN) });
    expect(JSON.parse(answer.text)).toMatchObject({ metadata: { annotations: { [MARK]: 'yes' } } });
    expect(stage.asked[0]).toMatchObject({
      operation: 'CREATE',
      namespace: 'team',
      name: 'web',
      user: { name: 'tester' },
    });
  });

  it('is refused when we refuse it, and the user reads why', async () => {
    const answer = await stage.create('refused', { annotations: { refuse: 'x' } });
    expect(answer.status).toBe(422);
    expect(answer.text).toContain('validating.hook.mooring.dev');
    expect(answer.text).toContain('never');
  });

  it('is refused for what the operator would say later', async () => {
    const answer = await stage.create('broken', { annotations: { 'mooring.dev/nics': '{' } });
    expect(answer.status).toBe(422);
    expect(answer.text).toContain('mooring.dev/nics');
  });

  it('of a dry run is looked at, and leaves nothing', async () => {
    expect(await stage.create('dry', { query: '?dryRun=All' })).toMatchObject({
      status: 201,
      warning: expect.stringContaining(SEEN),
    });
    expect(stage.asked[0]).toMatchObject({ name: 'dry', dryRun: true });
    expect((await stage.send(stage.endpoint, 'GET', `${formatVmsPath('team')}/dry`)).status).toBe(404);
  });

  it('is looked at again when its spec or annotations change, and not for a label', async () => {
    await stage.create('changing');
    const path = `${formatVmsPath('team')}/changing`;
    const countAfter = async (body: object) => {
      stage.asked.length = 0;
      expect((await change(path, body)).status).toBe(200);
      return stage.asked.filter(({ operation }) => operation === 'UPDATE').length;
    };
    expect(await countAfter({ spec: { runStrategy: 'Always' } })).toBeGreaterThan(0);
    expect(await countAfter({ metadata: { annotations: { note: 'x' } } })).toBeGreaterThan(0);
    expect(await countAfter({ metadata: { labels: { note: 'x' } } })).toBe(0);
  });

  it.each(['kube-system', RELEASE, IGNORED])('in %s is none of our business', async (namespace) => {
    expect(await stage.create('theirs', { namespace })).toMatchObject({ status: 201, warning: '' });
    expect(stage.asked).toEqual([]);
  });
});

describe("a VMI's status", () => {
  it('comes and goes without us', async () => {
    const vmi = {
      apiVersion: 'kubevirt.io/v1',
      kind: 'VirtualMachineInstance',
      metadata: { name: 'bare' },
      spec: { domain: { devices: {} } },
    };
    expect(await stage.send(stage.endpoint, 'POST', VMIS, vmi)).toMatchObject({ status: 201 });
    expect(stage.asked.length).toBeGreaterThan(0);
    stage.asked.length = 0;
    const isServed = (await change(`${VMIS}/bare/status`, { status: { phase: 'Running' } })).status === 200;
    if (!isServed) expect((await change(`${VMIS}/bare`, { status: { phase: 'Running' } })).status).toBe(200);
    const finalizers = { metadata: { finalizers: ['hook.test/wait'] } };
    expect((await change(`${VMIS}/bare`, finalizers)).status).toBe(200);
    await stage.send(stage.endpoint, 'DELETE', `${VMIS}/bare`);
    expect((await change(`${VMIS}/bare`, { metadata: { finalizers: null, annotations: { a: 'b' } } })).status).toBe(
      200,
    );
    expect(stage.asked).toEqual([]);
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
    [
      'take away a policy',
      'DELETE',
      'apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/mooring-agent',
      undefined,
    ],
    ['change a virtual machine', 'PATCH', `${formatVmsPath('team')}/web`, { spec: {} }],
    ['change a LogicalPort', 'PATCH', 'apis/mooring.dev/v1alpha1/namespaces/team/logicalports/x', { spec: {} }],
  ])('may not %s', async (_what, ...[method, path, body]) => {
    expect((await stage.send(stage.account, method, path, body)).status).toBe(403);
  });
});

describe('F48 certificates', () => {
  it('and their authority are changed under load without one missed call', { timeout: 5 * LONG_MS }, async () => {
    await stage.whenTrusted(1);
    const load = stage.startLoad();
    await load.whenMore();
    await stage.turnTo(-3);
    await stage.whenTrusted(2);
    await load.whenMore();

    const next = (await stage.readSecret()).authorities[1]?.fingerprint;
    await stage.turnTo(-2);
    await until(
      'a certificate of the next one',
      async () => (await stage.readSecret()).serving?.issuer === next,
      LONG_MS,
    );
    const { serving } = await stage.readSecret();
    const shown = new Date(serving?.notAfter ?? 0).toISOString();
    const showsNext = ({ log }: Replica) =>
      log.lines.filter(({ message, fields }) => message.startsWith('shows') && fields.until === shown).length > 0;
    await until('both replicas show it', () => replicas.every(showsNext), LONG_MS);
    await load.whenMore();

    await stage.turnTo(-0.9);
    await stage.whenTrusted(1);
    expect((await stage.readSecret()).authorities[0]?.fingerprint).toBe(next);
    await load.whenMore();
    await load.stop();
    expect(load.missed).toEqual([]);
  });
});

describe('F48 without us', () => {
  it('one replica answers for both, and with none virtual machines are made all the same', async () => {
    const load = stage.startLoad();
    await load.whenMore();
    await stage.unlist('one');
    // As long as the API server may still go there, the replica lingers.
    await load.whenMore();
    await load.stop();
    await replicas[0]?.stop();
    expect(load.missed).toEqual([]);
    expect((await stage.create('half')).warning).toContain(SEEN);
    await replicas[1]?.stop();
    expect(await stage.create('alone', { annotations: { refuse: 'x' } })).toMatchObject({ status: 201, warning: '' });
  });
});
