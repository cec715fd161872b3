import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Answer,
  type Method,
  type RightsStage,
  readTemplate,
  startRightsStage,
  whenRefused,
} from '../../../test/kube/rights.ts';
import { formatEvent } from '../../kube/event-body.ts';

/** Which events the chart lets an agent tell, asked of a real API server. */
const EVENTS = 'apis/events.k8s.io/v1/namespaces/default/events';
const POD = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default', uid: 'u1' } };
const NOTE = { type: 'Warning', reason: 'Unattached', action: 'Attach', note: 'no such network' } as const;
const LATER = { series: { count: 2, lastObservedTime: '2026-01-01T00:00:09.000000Z' } };

let stage: RightsStage;
beforeAll(async () => {
  stage = await startRightsStage('mooring-agent');
  const rights = (await readTemplate('agent.yaml')).filter(({ kind }) => kind?.startsWith('ClusterRole'));
  await stage.apply([...rights, ...(await readTemplate('agent-policy.yaml'))]);
  await whenRefused(() => send(undefined, 'POST', EVENTS, makeEvent()));
}, 240_000);
afterAll(() => stage?.[Symbol.asyncDispose]());

/** A call of the agent whose token was issued for that node. */
function send(node: string | undefined, method: Method, path: string, body: object): Promise<Answer> {
  const who = node === undefined ? {} : { 'impersonate-extra-authentication.kubernetes.io%2Fnode-name': node };
  return stage.send({ method, path, body }, who);
}

/** As the recorder of an agent writes it; each has another name. */
function makeEvent(component = 'mooring.dev/agent', instance = 'n1') {
  const source = { component, instance, date: new Date('2026-01-01T00:00:00Z'), random: Math.random() };
  return { apiVersion: 'events.k8s.io/v1', kind: 'Event', ...formatEvent(source, POD, NOTE) };
}

describe('F60 of events an agent', () => {
  it('tells its own, first and again', async () => {
    const event = makeEvent();
    expect(await send('n1', 'POST', EVENTS, event)).toMatchObject({ status: 201 });
    expect(await send('n1', 'PATCH', `${EVENTS}/${event.metadata.name}`, LATER)).toMatchObject({ status: 200 });
  });

  it('tells them on a node whose name is longer than an event can bear', async () => {
    const node = `n${'.long'.repeat(40)}`;
    const event = makeEvent('mooring.dev/agent', node);
    expect(await send(node, 'POST', EVENTS, event)).toMatchObject({ status: 201 });
  });

  it.each<[string, string | undefined, object]>([
    ["in another node's name", 'n1', makeEvent('mooring.dev/agent', 'n2')],
    ["in the operator's name", 'n1', makeEvent('mooring.dev/operator')],
    ["in the kubelet's name", 'n1', makeEvent('kubelet')],
    ['with a token that names no node', undefined, makeEvent()],
  ])('tells none %s', async (_what, node, event) => {
    expect(await send(node, 'POST', EVENTS, event)).toMatchObject({
      status: 422,
      text: expect.stringContaining('only events that it reports itself'),
    });
  });

  it('tells none by the older API', async () => {
    const involvedObject = { apiVersion: 'v1', kind: 'Pod', name: 'web', namespace: 'default' };
    const metadata = { name: 'older', namespace: 'default' };
    const event = { apiVersion: 'v1', kind: 'Event', metadata, involvedObject, source: { component: 'kubelet' } };
    expect(await send('n1', 'POST', 'api/v1/namespaces/default/events', event)).toMatchObject({ status: 422 });
  });

  it('takes none of another node over', async () => {
    const event = makeEvent();
    await send('n1', 'POST', EVENTS, event);
    expect(await send('n2', 'PATCH', `${EVENTS}/${event.metadata.name}`, LATER)).toMatchObject({ status: 422 });
  });
});
