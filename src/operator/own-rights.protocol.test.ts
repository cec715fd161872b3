import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apply, formatGrants, RELEASE, readTemplate } from '../../test/kube/rights.ts';
import { makeSpec } from '../../test/operator/guest.ts';
import { at, createRealCast } from '../../test/operator/real-objects.ts';
import { useRealStage } from '../../test/operator/real-stage.ts';
import { until } from '../../test/ovsdb/server.ts';
import { CONFIGURE_GUEST, NETWORK_CONFIG } from '../api/annotations.ts';
import { KINDS } from '../api/group.ts';
import { NODE_NETWORK_ANNOTATION } from '../api/node-network.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import {
  ApiError,
  createResource,
  createTransport,
  type KubeObject,
  systemClock,
  type Transport,
} from '../kube/index.ts';

/** The operator with its own token, the chart's roles and every policy of the chart, on a real API server. */
const ACCOUNT = 'mooring-operator';
const PORT = at('db.default.vm');
const stage = useRealStage({ namespaces: [RELEASE] });
const cast = createRealCast(stage);
let own: Transport;

beforeAll(async () => {
  const admin = createTransport({ endpoint: stage.endpoint, clock: systemClock });
  const templates = ['operator.yaml', 'operator-policy.yaml', 'agent-policy.yaml', 'tenant-policy.yaml', 'roles.yaml'];
  const objects = (await Promise.all(templates.map((name) => readTemplate(name)))).flat();
  // The stage's operators have their Lease in a namespace of the stage.
  const user = `system:serviceaccount:${RELEASE}:${ACCOUNT}`;
  const lease = [{ ...LEASES, kind: 'ClusterRole', metadata: { name: 'leases' } }];
  for (const object of [...objects, ...lease, ...formatGrants(user, 'mooring', ['leases'])]) await apply(admin, object);
  const token = await requestToken(admin);
  await admin.close();
  own = createTransport({
    endpoint: { ...stage.endpoint, authorization: async () => `Bearer ${token}` },
    clock: systemClock,
  });
  await stage.resource(KINDS.node).create({ metadata: { name: 'n1' } });
  // Another value each time: the first ones come before the policy does, and what changes nothing is never refused.
  let tries = 0;
  const refused = () => {
    tries += 1;
    return createResource(own, KINDS.node).patch({ name: 'n1' }, { metadata: { labels: { a: `b${tries}` } } });
  };
  await until('the policy in force', () => refused().then(() => false, isByPolicy));
}, 240_000);
afterAll(() => own?.close());

const LEASES = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  rules: [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update', 'patch'] }],
};
const isByPolicy = (error: unknown): boolean => String(error).includes('may write only the annotation');

async function requestToken(admin: Transport): Promise<string> {
  const path = `/api/v1/namespaces/${RELEASE}/serviceaccounts/${ACCOUNT}/token`;
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } };
  const answer = (await admin.request({ method: 'POST', path, body })) as { status?: { token?: string } };
  return answer.status?.token ?? '';
}

const findPort = () => stage.resource<LogicalPort>(KINDS.logicalPort).find(PORT);
const whenPort = (what: string, isDone: (port: LogicalPort) => boolean) =>
  until(what, async () => {
    const port = await findPort();
    return port !== undefined && isDone(port);
  });

it('is refused nothing in the life of a Node and a VM: reserved, started, told, stopped, retained, given back', async () => {
  const operator = stage.start({ wrapTransport: () => own });
  const spec = makeSpec({ default: undefined });
  await until('the mark of the Node', async () => {
    const node = await stage.resource(KINDS.node).get({ name: 'n1' });
    return node.metadata?.annotations?.[NODE_NETWORK_ANNOTATION] !== undefined;
  });
  await cast.makeVm('db', { metadata: { annotations: { 'mooring.dev/release-policy': 'Retain' } }, spec });
  await whenPort('an address', ({ spec: { ips } }) => ips.length === 1);
  await cast.makeVmi('db', spec);
  const vmis = stage.resource(KINDS.vmi);
  await vmis.patch(at('db'), { metadata: { annotations: { [CONFIGURE_GUEST]: 'true' } } });
  const isTold = async () => (await vmis.get(at('db'))).metadata?.annotations?.[NETWORK_CONFIG] !== undefined;
  await until('the guest told', isTold);
  await cast.makeLauncher('db-l', 'db');
  await cast.patchVmi('db', { phase: 'Running', nodeName: 'n1' });
  await whenPort('its launcher', ({ spec: { attachments } }) => attachments?.[0]?.node === 'n1');
  await stage.resource(KINDS.pod).delete(at('db-l'), { gracePeriodSeconds: 0 });
  await stage.resource(KINDS.vmi).delete(at('db'));
  await stage.resource(KINDS.vm).delete(at('db'));
  await whenPort('retained', ({ status }) => status?.phase === 'Released');
  await stage.resource(KINDS.logicalPort).delete(PORT);
  await until('the address given back', async () => (await findPort()) === undefined);
  await stage.bury(operator);
  const refused = operator.log.lines.filter((line) => /forbidden|denied/i.test(JSON.stringify(describeLine(line))));
  expect(refused).toEqual([]);
}, 120_000);

describe('of a VMI it may write one annotation', () => {
  const vmis = () => createResource(own, KINDS.vmi);
  let tries = 0;

  beforeAll(async () => {
    const { metadata, spec } = { metadata: at('solo'), spec: makeSpec({ default: undefined }) };
    await stage.resource(KINDS.vmi).create({ metadata, spec } as KubeObject);
    const refused = () => {
      tries += 1;
      return vmis().patch(at('solo'), { metadata: { labels: { a: `b${tries}` } } });
    };
    await until('the policy in force', () => refused().then(() => false, isOfVmi));
  });

  it.each<[string, object]>([
    ['another annotation', { metadata: { annotations: { 'mooring.dev/configure-guest': 'true' } } }],
    ['a label', { metadata: { labels: { 'kubevirt.io/nodeName': 'n2' } } }],
    ['a finalizer', { metadata: { finalizers: ['a.b/c'] } }],
    ['its NICs', { spec: { networks: [] } }],
    ['its status', { status: { phase: 'Failed' } }],
    [
      'the annotation and its status',
      { metadata: { annotations: { [NETWORK_CONFIG]: '{}' } }, status: { phase: 'x' } },
    ],
  ])('and not %s', async (_cause, patch) => {
    await expect(vmis().patch(at('solo'), patch)).rejects.toSatisfy(isOfVmi);
  });

  it('and that it may', async () => {
    const written = await vmis().patch(at('solo'), { metadata: { annotations: { [NETWORK_CONFIG]: '{}' } } });
    expect(written.metadata?.annotations?.[NETWORK_CONFIG]).toBe('{}');
  });

  it('and neither make nor delete one', async () => {
    const { status } = await vmis()
      .create({ metadata: at('more'), spec: makeSpec({ default: undefined }) } as KubeObject)
      .then(() => ({ status: 201 }), readStatus);
    expect(status).toBe(403);
    expect(
      await vmis()
        .delete(at('solo'))
        .then(() => ({ status: 200 }), readStatus),
    ).toEqual({ status: 403 });
  });
});

const isOfVmi = (error: unknown): boolean => String(error).includes('of a VirtualMachineInstance the operator may');
const readStatus = (error: unknown) => ({ status: error instanceof ApiError ? error.status : 0 });

/** Errors tell their words only when asked for them. */
const describeLine = ({ message, fields }: { message: string; fields: Record<string, unknown> }): string[] => [
  message,
  ...Object.values(fields).map(String),
];
