import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyThings, type Context, listThings, type Thing } from '../demo/context.ts';
import { RELEASE_NAMESPACE } from '../demo/install.ts';
import { findPodPid } from '../demo/pods.ts';
import { kubectl, nodeExec } from '../kubectl.ts';
import { findProcess, signalProcess } from '../process.ts';
import { getNode } from '../state.ts';
import { closeNamespace, expectRunning, formatSleeper, getRestarts, openNamespace, openWorld } from './world.ts';

const NAMESPACE = 'outages';
const AWAY_MS = 60_000;
let context: Context;
let ports: Thing[];

beforeAll(async () => {
  context = await openWorld();
  await openNamespace(context, NAMESPACE);
  await applyThings(context, [formatSleeper(NAMESPACE, 'a'), formatSleeper(NAMESPACE, 'b')]);
  await Promise.all([expectRunning(context, NAMESPACE, 'a'), expectRunning(context, NAMESPACE, 'b')]);
  ports = await listThings(context, 'lp', ['-n', NAMESPACE]);
});

afterAll(() => closeNamespace(context, NAMESPACE));

/** Pings a pod from its node, without the API server. */
async function pingFromNode(pod: Thing): Promise<void> {
  const node = getNode(context.lab, pod.spec.nodeName as string);
  await nodeExec(context.lab, node, ['busybox', 'ping', '-c', '3', '-W', '2', String(pod.status.podIP)]);
}

const addresses = (things: readonly Thing[]): unknown[] =>
  things.map((port) => [port.metadata.name, port.metadata.uid, port.spec.ips, port.spec.mac]).sort();

const stayAway = (): Promise<void> => new Promise((done) => setTimeout(done, AWAY_MS));

describe('an outage of a minute loses nothing and needs no restart', () => {
  it('of the API server, frozen so that connections stay half open', async () => {
    const pods = await listThings(context, 'pods', ['-n', NAMESPACE]);
    const restarts = await getRestarts(context);
    const apiserver = findProcess(context.lab.dir, 'apiserver');
    if (apiserver === undefined) throw new Error('the lab has no API server');
    signalProcess(apiserver, 'SIGSTOP');
    try {
      await stayAway();
      await Promise.all(pods.map(pingFromNode));
    } finally {
      signalProcess(apiserver, 'SIGCONT');
    }
    await applyThings(context, [formatSleeper(NAMESPACE, 'after-api')]);
    await pingFromNode(await expectRunning(context, NAMESPACE, 'after-api', 90));
    const now = await listThings(context, 'lp', ['-n', NAMESPACE]);
    expect(addresses(now.filter((port) => port.spec.owner.name !== 'after-api'))).toEqual(addresses(ports));
    expect(await getRestarts(context)).toEqual(restarts);
  });

  it('of the Northbound database: new pods wait and say why, old ones go on', async () => {
    const restarts = await getRestarts(context);
    const central = (await listThings(context, 'pods', ['-n', RELEASE_NAMESPACE, '-l', 'app=mooring-ovn-central']))[0];
    if (central === undefined) throw new Error('no OVN central');
    const nb = await findPodPid(context, central, 'nb');
    process.kill(nb, 'SIGSTOP');
    try {
      await applyThings(context, [formatSleeper(NAMESPACE, 'after-nb')]);
      await stayAway();
      const pods = await listThings(context, 'pods', ['-n', NAMESPACE]);
      await Promise.all(pods.filter(({ status }) => status?.phase === 'Running').map(pingFromNode));
      const waiting = (await listThings(context, 'lp', ['-n', NAMESPACE])).find(
        (port) => port.spec.owner.name === 'after-nb',
      );
      const programmed = (waiting?.status?.conditions ?? []).find((c: { type: string }) => c.type === 'Programmed');
      expect(programmed).toMatchObject({ status: 'False', reason: 'OVNUnavailable' });
    } finally {
      process.kill(nb, 'SIGCONT');
    }
    await pingFromNode(await expectRunning(context, NAMESPACE, 'after-nb', 90));
    const now = await listThings(context, 'lp', ['-n', NAMESPACE]);
    for (const port of ports) expect(addresses(now)).toContainEqual(addresses([port])[0]);
    expect(await getRestarts(context)).toEqual(restarts);
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'pod', 'after-nb', 'after-api', '--ignore-not-found']);
  });
});
