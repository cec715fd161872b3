import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replaceMethod } from '../../../test/operator/mortal.ts';
import { createCast } from '../../../test/operator/objects.ts';
import { expectIdle, postSentinel, type Sentinel, whenSound } from '../../../test/operator/sentinel.ts';
import { COLLECTIONS, type Stage, type StartOptions, startStage, until } from '../../../test/operator/stage.ts';
import { type Clock, systemClock } from '../../kube/index.ts';
import { eventually } from '../../kube/testing/eventually.ts';

let stage: Stage;
let cast: ReturnType<typeof createCast>;
let sentinel: Sentinel;
beforeEach(async () => {
  stage = await startStage();
  cast = createCast(stage.api);
  sentinel = postSentinel(stage);
});
afterEach(async () => {
  sentinel[Symbol.dispose]();
  await stage[Symbol.asyncDispose]();
});

const findLsp = (name: string) => until(`switch port ${name}`, async () => (await stage.listLsps()).get(name));
const whenGone = (name: string) => until(`${name} gone`, async () => !(await stage.listLsps()).has(name));
const getIp = (lsp: { addresses: string }) => lsp.addresses.split(' ')[1] ?? '';

/** A process that stands still from `pause` to `resume`: nothing that it sends arrives in between, its renewals never. */
function arrangePause() {
  const resume = Promise.withResolvers<void>();
  const outcomes: string[] = [];
  let paused = false;
  let writesPaused = false;
  const options: StartOptions = {
    wrapTransport: (transport) =>
      replaceMethod(transport, 'request', async (request) => {
        if (paused) {
          await resume.promise;
          throw new Error('the process was paused for longer than the server waits');
        }
        return transport.request(request);
      }),
    wrapNb: (nb) => {
      const { client } = nb;
      const transactAndSync: typeof client.transactAndSync = async (operations, how) => {
        if (!writesPaused) return client.transactAndSync(operations, how);
        outcomes.push('held');
        await resume.promise;
        // Without the signal of its term: it is on its way already.
        return client.transactAndSync(operations).then(
          (results) => {
            outcomes.push('written');
            return results;
          },
          (error: unknown) => {
            outcomes.push('refused');
            throw error;
          },
        );
      };
      return { ...nb, client: replaceMethod(client, 'transactAndSync', transactAndSync) };
    },
  };
  return {
    options,
    outcomes,
    pauseWrites: () => {
      writesPaused = true;
    },
    pause: () => {
      paused = true;
    },
    resume: () => {
      paused = false;
      writesPaused = false;
      resume.resolve();
    },
  };
}

describe('two operators', () => {
  it('F29 a leader that was paused in the middle of a write has no effect when it goes on', async () => {
    const pause = arrangePause();
    const first = await stage.start(pause.options);
    cast.pod('p0');
    await findLsp('pod/a/p0/eth0');
    pause.pauseWrites();
    cast.pod('p1');
    await eventually('a write that is held', () => pause.outcomes.includes('held'));
    const ip = stage.findPort('a/p1.eth0.pod')?.spec.ips[0] ?? '';
    pause.pause();
    const second = await stage.start();
    await eventually('another leader', () => second.operator.isLeader());
    expect(getIp(await findLsp('pod/a/p1/eth0'))).toBe(ip);
    cast.remove('pods', 'a/p1');
    await whenGone('pod/a/p1/eth0');
    await eventually('the release', () => stage.findPort('a/p1.eth0.pod') === undefined);
    cast.pod('p2', { annotations: { 'ovn.kubernetes.io/ip_address': ip } });
    expect(getIp(await findLsp('pod/a/p2/eth0'))).toBe(ip);
    pause.resume();
    await eventually('the end of the held write', () => pause.outcomes.some((outcome) => outcome !== 'held'));
    expect(pause.outcomes).not.toContain('written');
    await whenSound(stage);
    expect(first.operator.isLeader()).toBe(false);
    expect((await stage.listLsps()).has('pod/a/p1/eth0')).toBe(false);
    expect(sentinel.wrong).toEqual([]);
    await first.stop();
    await expectIdle(stage, second);
  });

  it('F29 whoever leads while leases are taken over and back again, each address is given once', async () => {
    const first = await stage.start();
    const second = await stage.start();
    for (let round = 0; round < 6; round += 1) {
      const [lease] = stage.api.storage.list('coordination.k8s.io/v1/leases');
      if (lease !== undefined) {
        const key = `${lease.metadata.namespace}/${lease.metadata.name}`;
        stage.api.storage.remove('coordination.k8s.io/v1/leases', key);
      }
      for (let n = 0; n < 5; n += 1) cast.pod(`p${round}-${n}`);
      cast.vm(`vm${round}`);
      if (round > 0) cast.remove('pods', `a/p${round - 1}-0`);
    }
    await until('all ports', async () => (await stage.listLsps()).size === 6 * 6 - 5);
    await whenSound(stage);
    expect(sentinel.wrong).toEqual([]);
    await first.stop();
    await expectIdle(stage, second);
  });
});

/** A clock whose date can be set, and whose time passes at another rate. */
function makeClock(rate: number) {
  let offset = 0;
  const clock: Clock = {
    now: () => systemClock.now() * rate,
    date: () => new Date(Date.now() + offset),
    schedule: (delayMs, run) => systemClock.schedule(delayMs / rate, run),
  };
  return {
    clock,
    jump: (ms: number) => {
      offset += ms;
    },
  };
}

const HOUR = 3_600_000;

describe('a clock that is wrong', () => {
  it('F30 jumps by hours and runs at twice the rate: no kept address is let go, and nobody leads beside the leader', async () => {
    const fast = makeClock(2);
    const slow = makeClock(1);
    const one = await stage.start({ clock: fast.clock });
    await eventually('a leader', () => one.operator.isLeader());
    const two = await stage.start({ clock: slow.clock });
    const vm = cast.vm('db');
    cast.vm('kept', { annotations: { 'mooring.dev/release-policy': 'Retain' } });
    const before = [await findLsp('vm/a/db/default'), await findLsp('vm/a/kept/default')];
    cast.remove('vms', 'a/kept');
    await whenGone('vm/a/kept/default');
    for (const hours of [1, -2, 24 * 365, -24 * 365]) {
      fast.jump(hours * HOUR);
      slow.jump(-hours * HOUR);
      const name = `p${Math.abs(hours)}${hours > 0 ? 'f' : 'b'}`;
      cast.pod(name);
      const given = getIp(await findLsp(`pod/a/${name}/eth0`));
      expect(before.map(getIp)).not.toContain(given);
      expect([one, two].filter(({ operator }) => operator.isLeader())).toHaveLength(1);
    }
    cast.launcher('l1', cast.vmi('db', vm), { node: 'n1' });
    await until('started', async () => (await stage.listLsps()).get('vm/a/db/default')?.chassis === 'n1');
    expect((await findLsp('vm/a/db/default')).addresses).toBe(before[0]?.addresses);
    expect(stage.findPort('a/kept.default.vm')?.spec.ips).toEqual([getIp(before[1] ?? { addresses: '' })]);
    await whenSound(stage);
    expect(sentinel.wrong).toEqual([]);
    expect(stage.api.storage.list(COLLECTIONS.ports).length).toBe(6);
  });
});
