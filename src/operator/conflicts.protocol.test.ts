import { expect, it } from 'vitest';
import { until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import { systemClock } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';

const { stage, cast } = useStage();

const findLsp = (name: string) => until(`switch port ${name}`, async () => (await stage.listLsps()).get(name));
const getPhase = (key: string) => stage.findPort(key)?.status?.phase;

/** A clock whose long waits never end: what is not queued by an event stays undone. */
const impatient = {
  ...systemClock,
  schedule: (delayMs: number, run: () => void) => systemClock.schedule(delayMs >= 15_000 ? 3_600_000 : delayMs, run),
};

it('F32 a port in conflict is served as soon as the other one has moved to another address', async () => {
  const first = await stage.start();
  cast.vm('old');
  await findLsp('vm/a/old/default');
  cast.vm('twin');
  await findLsp('vm/a/twin/default');
  await first.stop();
  const old = stage.findPort('a/old.default.vm');
  // A backup that was restored half: both have the address of the older one.
  const { ips, mac } = old?.spec ?? {};
  cast.patch('ports', 'a/old.default.vm', { metadata: { creationTimestamp: '2020-01-01T00:00:00Z' } });
  cast.patch('ports', 'a/twin.default.vm', { spec: { ips, mac } });
  await stage.start({ clock: impatient });
  await eventually('the conflict', () => getPhase('a/twin.default.vm') === 'Conflict');
  await until('no row', async () => !(await stage.listLsps()).has('vm/a/twin/default'));
  // Whatever the twin was queued for before is over when these have been served.
  for (const name of ['p1', 'p2', 'p3', 'p4', 'p5', 'p6']) {
    cast.pod(name);
    await findLsp(`pod/a/${name}/eth0`);
  }
  cast.patch('vms', 'a/old', {
    spec: {
      template: {
        metadata: {
          annotations: {
            'ovn.kubernetes.io/ip_address': '10.16.0.99',
            'ovn.kubernetes.io/mac_address': '0a:00:00:00:00:99',
          },
        },
      },
    },
  });
  await until('the older one', async () => (await stage.listLsps()).get('vm/a/old/default')?.addresses.includes('.99'));
  expect((await findLsp('vm/a/twin/default')).addresses).toBe(`${mac} ${ips?.join()}`);
});
