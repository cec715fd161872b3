import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HOUR, type HookStage, LONG_MS, openHookStage, type Replica, SEEN } from '../../../test/hook/stage.ts';
import { apply, RELEASE, readTemplate } from '../../../test/kube/rights.ts';
import { until } from '../../../test/ovsdb/server.ts';
import { KINDS } from '../../api/group.ts';
import { createResource, type KubeObject, type ResourceKind } from '../../kube/index.ts';
import { CONFIGURATIONS, type Configuration, SECRET } from './certificates/secret.ts';
import { createAuthority } from './certificates/x509.ts';
import { CERTIFICATES_NAME, CONFIGURATION_NAME } from './hook.ts';

/** What the webhook needs goes, one part after the other, on a real API server: nobody is held up, and it is told and mended. */
const POLICIES = ['mooring-logicalport', 'mooring-launcher', 'mooring-binding', 'mooring-node'];
const REFUSED = { annotations: { refuse: 'x' } };
const DRY = { query: '?dryRun=All' };

let stage: HookStage;
let replica: Replica;
beforeAll(async () => {
  // The first authority, which holds for 1000 hours, is over by the clock of the API server.
  stage = await openHookStage({ offset: -2000, speed: 20 });
  for (const policy of await readTemplate('tenant-policy.yaml')) await apply(stage.admin, policy);
  replica = await stage.startReplica('one', { policies: POLICIES });
}, 5 * LONG_MS);
afterAll(() => stage?.[Symbol.asyncDispose]());
beforeEach(() => {
  stage.asked.length = 0;
});

const resource = <T extends KubeObject>(kind: ResourceKind) => createResource<T>(stage.admin, kind);
const makeKind = (group: string, plural: string, kind: string): ResourceKind => ({
  ...{ group, version: 'v1', plural, kind, namespaced: false },
});
const whenSeen = () =>
  until('the API server asks us', async () => (await stage.create('ask', DRY)).warning.includes(SEEN), LONG_MS);
const whenUnseen = () =>
  until('the API server asks nobody', async () => (await stage.create('ask', DRY)).warning === '', LONG_MS);
/** `error <kind> <name>: <what>` of what the replica misses, `info <kind> <name>` of what is there again. */
const listTold = () =>
  replica.log.lines.flatMap(({ level, message, fields: { kind, name, what } }) =>
    message.includes('part of the installation')
      ? `${level} ${kind} ${name}${what === undefined ? '' : `: ${what}`}`
      : [],
  );
const whenTold = (...lines: string[]) =>
  until(lines.join(), () => lines.every((line) => listTold().includes(line)), LONG_MS);
const readAuthority = async () => (await stage.readSecret()).authorities.map(({ fingerprint }) => fingerprint).join();

it('F48 a certificate that has expired: virtual machines are made unseen, and a replica that sees it mends it', async () => {
  await stage.whenTrusted(1);
  const expired = await readAuthority();
  expect((await stage.readSecret()).authorities[0]?.notAfter).toBeLessThan(Date.now());
  expect(await stage.create('unseen', REFUSED)).toMatchObject({ status: 201, warning: '' });
  expect(stage.asked).toEqual([]);
  await stage.turnTo(0);
  await whenSeen();
  expect(await stage.create('seen', REFUSED)).toMatchObject({ status: 422 });
  await stage.whenTrusted(1);
  expect(await readAuthority()).not.toBe(expired);
  expect(replica.hook.findObstacle()).toBeUndefined();
}, 120_000);

it.each(CONFIGURATIONS)('F48 an authority that somebody overwrote in the $kind comes back', async (kind) => {
  await whenSeen();
  const times = { notBefore: new Date(Date.now() - HOUR), notAfter: new Date(Date.now() + HOUR) };
  const { cert } = createAuthority({ commonName: 'somebody else', serial: randomBytes(16), ...times });
  const before = await resource<Configuration>(kind).get({ name: CONFIGURATION_NAME });
  const webhooks = (before.webhooks ?? []).map((webhook) => ({
    ...webhook,
    clientConfig: { ...webhook.clientConfig, caBundle: Buffer.from(cert).toString('base64') },
  }));
  await resource<Configuration>(kind).patch({ name: CONFIGURATION_NAME }, { webhooks });
  await stage.whenTrusted(1);
  await whenSeen();
  expect(await stage.create('seen-again', REFUSED)).toMatchObject({ status: 422 });
});

it('F48 a Secret that somebody deleted is told, and filled anew once it is installed again', async () => {
  const before = await readAuthority();
  await resource(SECRET).delete({ namespace: RELEASE, name: CERTIFICATES_NAME });
  await whenTold(`error Secret ${CERTIFICATES_NAME}: it is not there`);
  // What was shown is shown: it is trusted as before.
  expect((await stage.create('meanwhile', DRY)).warning).toContain(SEEN);
  const template = await readTemplate('hook.yaml', 'hook.enabled=true');
  for (const object of template.filter(({ kind }) => kind === 'Secret')) await apply(stage.admin, object);
  await whenTold(`info Secret ${CERTIFICATES_NAME}`);
  await stage.whenTrusted(1);
  await whenSeen();
  expect(await readAuthority()).not.toBe(before);
}, 120_000);

it('F48 webhook configurations that somebody deleted: machines are made unseen, it is told, and an upgrade mends it', async () => {
  for (const kind of CONFIGURATIONS) await resource(kind).delete({ name: CONFIGURATION_NAME });
  await whenUnseen();
  expect(await stage.create('unasked', REFUSED)).toMatchObject({ status: 201, warning: '' });
  await whenTold(...CONFIGURATIONS.map(({ kind }) => `error ${kind} ${CONFIGURATION_NAME}: it is not there`));
  const template = await readTemplate('hook.yaml', 'hook.enabled=true');
  for (const object of template.filter(({ kind }) => kind?.endsWith('WebhookConfiguration'))) {
    await apply(stage.admin, object);
  }
  await whenSeen();
  await stage.whenTrusted(1);
  await whenTold(...CONFIGURATIONS.map(({ kind }) => `info ${kind} ${CONFIGURATION_NAME}`));
}, 120_000);

it('F48 policies that somebody deleted: machines are made and looked at, it is told, and an upgrade mends it', async () => {
  const group = 'admissionregistration.k8s.io';
  const [policies, bindings] = [
    makeKind(group, 'validatingadmissionpolicies', 'ValidatingAdmissionPolicy'),
    makeKind(group, 'validatingadmissionpolicybindings', 'ValidatingAdmissionPolicyBinding'),
  ];
  expect(listTold().filter((line) => line.includes('Policy'))).toEqual([]);
  const template = await readTemplate('tenant-policy.yaml');
  await resource(policies).delete({ name: 'mooring-launcher' });
  await resource(bindings).delete({ name: 'mooring-logicalport' });
  await resource(bindings).patch({ name: 'mooring-node' }, { spec: { validationActions: ['Audit'] } });
  await whenTold(
    'error ValidatingAdmissionPolicy mooring-launcher: it is not there',
    'error ValidatingAdmissionPolicyBinding mooring-logicalport: it is not there',
    'error ValidatingAdmissionPolicyBinding mooring-node: it denies nothing',
  );
  expect(await stage.create('unguarded')).toMatchObject({ status: 201, warning: expect.stringContaining(SEEN) });
  const find = (kind: string, name: string) =>
    template.filter((object) => object.kind === kind && object.metadata?.name === name);
  for (const object of find(policies.kind, 'mooring-launcher')) await apply(stage.admin, object);
  for (const object of find(bindings.kind, 'mooring-logicalport')) await apply(stage.admin, object);
  await resource(bindings).patch({ name: 'mooring-node' }, { spec: { validationActions: ['Deny'] } });
  await whenTold(
    'info ValidatingAdmissionPolicy mooring-launcher',
    'info ValidatingAdmissionPolicyBinding mooring-logicalport',
    'info ValidatingAdmissionPolicyBinding mooring-node',
  );
}, 120_000);

describe('a replica whose role comes later than itself, as at the first install', () => {
  const ROLE = makeKind('rbac.authorization.k8s.io', 'clusterroles', 'ClusterRole');
  const UNKNOWN = 'cannot see any NetworkAttachmentDefinition';
  const NADS = `apis/${KINDS.nad.group}/${KINDS.nad.version}/namespaces/team/${KINDS.nad.plural}`;
  type Role = KubeObject & { rules?: { apiGroups?: string[] }[] };

  /** A machine with one NIC on that NAD. */
  const createOn = (networkName: string, name: string) => {
    const interfaces = [{ name: 'far', bridge: {} }];
    return stage.create(name, {
      ...DRY,
      spec: { domain: { devices: { interfaces } }, networks: [{ name: 'far', multus: { networkName } }] },
    });
  };
  const whenAllowed = (status: number) =>
    until(`${status} for NADs`, async () => (await stage.send(stage.account, 'GET', NADS)).status === status, LONG_MS);

  it('is not ready, calls no NAD unknown that it cannot see, and refuses what is wrong once it can', async () => {
    const config = JSON.stringify({ cniVersion: '0.3.1', type: 'bridge' });
    await resource(KINDS.nad).create({ metadata: { name: 'net', namespace: 'team' }, spec: { config } } as KubeObject);
    const { rules = [] } = await resource<Role>(ROLE).get({ name: 'mooring-hook' });
    const others = rules.filter(({ apiGroups = [] }) => !apiGroups.includes(KINDS.nad.group));
    expect(others).toHaveLength(rules.length - 1);
    await resource<Role>(ROLE).patch({ name: 'mooring-hook' }, { rules: others });
    await whenAllowed(403);

    const late = await stage.startReplica('late', { waits: false });
    await stage.unlist('one');
    // The API server would go on asking it on the connection that it has.
    await replica.stop();
    const obstacle = 'the caches are not complete: no NetworkAttachmentDefinition; the log says why';
    await until('all but NADs', () => late.hook.findObstacle() === obstacle, LONG_MS);
    await until('it is asked', async () => (await createOn('net', 'probe')).warning.includes(UNKNOWN), LONG_MS);
    for (const name of ['net', 'none']) {
      const { status, warning } = await createOn(name, `early-${name}`);
      expect([status, warning]).toEqual([201, expect.stringContaining(UNKNOWN)]);
    }
    // Who needs none of it is judged as ever.
    const wrong = { annotations: { 'mooring.dev/nics': '{' } };
    expect(await stage.create('wrong', wrong)).toMatchObject({ status: 422 });
    expect(late.hook.findObstacle()).toBe(obstacle);

    await resource<Role>(ROLE).patch({ name: 'mooring-hook' }, { rules });
    await until('it is ready', () => late.hook.findObstacle() === undefined, LONG_MS);
    const { status, warning } = await createOn('net', 'known');
    expect([status, warning]).toEqual([201, expect.not.stringContaining(UNKNOWN)]);
    expect(await createOn('none', 'unknown')).toMatchObject({
      status: 422,
      text: expect.stringContaining('NetworkAttachmentNotFound'),
    });
  }, 120_000);
});
