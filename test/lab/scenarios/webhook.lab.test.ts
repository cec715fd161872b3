import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Transport } from '../../../src/kube/index.ts';
import { type CommandResult, tryCommand } from '../command.ts';
import { type Context, expectSoon, findThing, getThing, listThings, type Thing } from '../demo/context.ts';
import { RELEASE_NAMESPACE } from '../demo/install.ts';
import { findPodPid } from '../demo/pods.ts';
import { kubectl } from '../kubectl.ts';
import { asks, expectReady, formatWebPod, pings } from './things.ts';
import { expectGuest, expectPort, formatMachine, inGuest, setRunning } from './vms.ts';
import {
  expectJudged,
  formatOpenVm,
  formatTimes,
  type Load,
  measureAnswers,
  openJudged,
  openTransport,
  STRANGE_IP,
  startLoad,
} from './webhook-load.ts';
import { countTimes } from './webhook-times.ts';
import { closeNamespace, expectEvent, openNamespace, openWorld, UNJUDGED } from './world.ts';

/** The webhook as the chart installs it: two replicas on two nodes, called through their Service by the lab's API server. */
const NAMESPACE = 'webhook';
const UNSEEN = 'webhook-unseen';
const HOOK = 'mooring-hook';
const REPLICAS = 2;
const POLICY = { namespace: NAMESPACE, name: 'by-policy' };
const ALONE = { namespace: NAMESPACE, name: 'alone' };
const PEER = { namespace: NAMESPACE, name: 'peer' };
const ECHO = 7;
const CALLS = 1000;

let context: Context;
let transport: Transport;

/** `kubectl apply` as a user runs it: what it prints, whatever its exit code is. */
function apply(thing: object): Promise<CommandResult> {
  const { bin, adminKubeconfig } = context.lab;
  const command = [bin.kubectl, '--kubeconfig', adminKubeconfig, 'apply', '-f', '-'];
  return tryCommand(command, { input: JSON.stringify(thing) });
}

const listReplicas = (): Promise<Thing[]> =>
  listThings(context, 'pods', ['-n', RELEASE_NAMESPACE, '-l', `app=${HOOK}`]);

async function scale(replicas: number): Promise<void> {
  await kubectl(context.lab, ['-n', RELEASE_NAMESPACE, 'scale', 'deployment', HOOK, `--replicas=${replicas}`]);
  await expectSoon(`${replicas} replicas of the webhook`, 60, async () => {
    const pods = await listReplicas();
    const { status } = await getThing(context, 'deployment', HOOK, RELEASE_NAMESPACE);
    return pods.length === replicas && (status.readyReplicas ?? 0) === replicas ? true : undefined;
  });
}

/** Awaits that all replicas are there again, none of them one of `gone`. */
const expectReplaced = (gone: readonly string[]): Promise<true> =>
  expectSoon('a new replica, ready', 60, async () => {
    const pods = await listReplicas();
    const ready = pods.filter(({ status }) => status?.containerStatuses?.[0]?.ready === true);
    const isNew = pods.every(({ metadata }) => !gone.includes(metadata.uid));
    return isNew && pods.length === REPLICAS && ready.length === REPLICAS ? true : undefined;
  });

async function whileLoaded(work: (load: Load) => Promise<void>): Promise<Load> {
  const load = startLoad(transport, NAMESPACE);
  try {
    await load.whenMore(20);
    await work(load);
    await load.whenMore(20);
  } finally {
    await load.stop();
  }
  return load;
}

beforeAll(async () => {
  context = await openWorld();
  transport = await openTransport(context);
  await scale(REPLICAS);
  await openJudged(context, transport, NAMESPACE);
  await openNamespace(context, UNSEEN, UNJUDGED);
});

afterAll(async () => {
  await scale(REPLICAS);
  await closeNamespace(context, NAMESPACE);
  await closeNamespace(context, UNSEEN);
  await transport.close();
});

describe('a virtual machine that says nothing about its binding', () => {
  it('is admitted with the one of its namespace, and kubectl shows what that means', async () => {
    const { code, stderr } = await apply(formatOpenVm(NAMESPACE, POLICY.name));
    expect(code).toBe(0);
    expect(stderr).toMatch(/^Warning: NIC "default": masquerade \(Namespace webhook\): .*behind KubeVirt's NAT/m);
    const { spec } = (await getThing(context, 'vm', POLICY.name, NAMESPACE)).spec.template;
    expect(spec.domain.devices.interfaces).toEqual([{ name: 'default', masquerade: {} }]);
  });

  it('runs with that binding, and is reached at the address of its port', async () => {
    await setRunning(context, POLICY, true);
    expect((await apply(formatWebPod(PEER))).code).toBe(0);
    await expectGuest(context, POLICY);
    expect(await inGuest(context, POLICY, 'cat /run/lease.eth0')).toContain('ip=10.0.2.2\n');
    const { spec } = await expectPort(context, POLICY, ({ status }) => status?.phase === 'Bound');
    expect(spec.binding).toBe('masquerade');
    await expectReady(context, NAMESPACE, [PEER.name]);
    expect(await asks(context, PEER, String(spec.ips[0]), { port: ECHO })).toContain('GET /');
  });
});

describe('a virtual machine that could not work', () => {
  it.each([
    ['asks for an address outside of its subnet', 'AddressOutsideSubnet', async () => STRANGE_IP],
    ['asks for the gateway', 'AddressReserved', async () => '10.16.0.1'],
    [
      'asks for the address of another one',
      `${POLICY.name}.*AddressInUse`,
      async () => String((await expectPort(context, POLICY, () => true)).spec.ips[0]),
    ],
  ])('that %s is refused by kubectl apply, with the reason, and not stored', async (_what, reason, findIp) => {
    const { code, stderr } = await apply(formatOpenVm(NAMESPACE, 'wrong', await findIp()));
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`validating\\.hook\\.mooring\\.dev.*NIC default: .*${reason}`, 's'));
    expect(await findThing(context, 'vm', 'wrong', NAMESPACE)).toBeUndefined();
  });

  it('is left to the operator in a namespace that the webhook is to ignore', async () => {
    const { code, stderr } = await apply(formatOpenVm(UNSEEN, 'wrong', STRANGE_IP));
    expect([code, stderr]).toEqual([0, '']);
    expect(await expectEvent(context, UNSEEN, 'wrong', 'AddressOutsideSubnet')).toContain(STRANGE_IP);
  });
});

describe('F48: a replica that goes', () => {
  it('in good order is missed by no call', async () => {
    const [pod] = await listReplicas();
    const load = await whileLoaded(async () => {
      await kubectl(context.lab, ['-n', RELEASE_NAMESPACE, 'delete', 'pod', pod?.metadata.name ?? '', '--timeout=60s']);
      await expectReplaced([pod?.metadata.uid ?? '']);
    });
    expect([load.missed, load.failed]).toEqual([[], []]);
  });

  it('without a word refuses nobody, and all calls are seen again once it is known', async () => {
    const [pod] = await listReplicas();
    const { restartCount } = pod?.status.containerStatuses[0] ?? {};
    const load = await whileLoaded(async () => {
      process.kill(await findPodPid(context, pod as Thing, 'hook'), 'SIGKILL');
      await expectSoon('the container started again, ready', 60, async () => {
        const found = await getThing(context, 'pod', pod?.metadata.name ?? '', RELEASE_NAMESPACE);
        const [status] = found.status.containerStatuses;
        return status.restartCount > restartCount && status.ready === true ? true : undefined;
      });
    });
    // What was on its way to it is let through unseen: that is what failurePolicy Ignore says.
    expect(load.failed).toEqual([]);
    expect((await whileLoaded(async () => undefined)).missed).toEqual([]);
  });
});

describe('F48: without the webhook', () => {
  it('that is frozen virtual machines are admitted as they are', async () => {
    const pids = await Promise.all((await listReplicas()).map((pod) => findPodPid(context, pod, 'hook')));
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    try {
      const { code, stderr } = await apply(formatOpenVm(NAMESPACE, 'unheard', STRANGE_IP));
      expect([code, stderr]).toEqual([0, '']);
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
    expect(await expectEvent(context, NAMESPACE, 'unheard', 'AddressOutsideSubnet')).toContain(STRANGE_IP);
    await expectJudged(transport, NAMESPACE);
  });

  it('that is away virtual machines start, have their address and are told what is wrong by the operator', async () => {
    await scale(0);
    try {
      expect(await apply(formatMachine({ ...ALONE, running: true }))).toMatchObject({ code: 0, stderr: '' });
      expect(await apply(formatOpenVm(NAMESPACE, 'outside', STRANGE_IP))).toMatchObject({ code: 0, stderr: '' });
      expect(await expectEvent(context, NAMESPACE, 'outside', 'AddressOutsideSubnet')).toContain(STRANGE_IP);
      await expectGuest(context, ALONE);
      const { spec } = await expectPort(context, ALONE, ({ status }) => status?.phase === 'Bound');
      expect(await inGuest(context, ALONE, 'cat /run/lease.eth0')).toContain(`ip=${spec.ips[0]}\n`);
      expect(await pings(context, PEER, String(spec.ips[0]))).toBe(true);
    } finally {
      await scale(REPLICAS);
    }
    await expectJudged(transport, NAMESPACE);
  });
});

describe('the webhook', () => {
  it('measures each of its answers', async () => {
    const times = await measureAnswers(context, transport, { namespace: NAMESPACE, calls: CALLS });
    context.say(formatTimes(times));
    // Every write that is not refused by the first webhook is seen by both.
    expect(countTimes(times)).toBeGreaterThanOrEqual(2 * CALLS);
  });
});
