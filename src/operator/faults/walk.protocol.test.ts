import { describe, expect, it } from 'vitest';
import { arrangeDeath, bury, createDice, live } from '../../../test/operator/mortal.ts';
import { createCast } from '../../../test/operator/objects.ts';
import { expectIdle, postSentinel, takeSnapshot, whenSound } from '../../../test/operator/sentinel.ts';
import { COLLECTIONS, LONG_LEASE, type Stage, startStage } from '../../../test/operator/stage.ts';
import type { KubeObject } from '../../kube/index.ts';
import type { Fault } from '../../kube/testing/fake-api-server.ts';

/** Deaths of one walk; all of them together are more than 200. */
const DEATHS = 42;
const NAMES = ['a1', 'a2', 'a3', 'a4', 'a5', 'a6'];

type Dice = ReturnType<typeof createDice>;
/** What the walk holds the operators to: the addresses of each VM that is there, by its UID. */
type Book = Map<string, { readonly ips: string; readonly mac: string }>;

const pick = <T>(dice: Dice, items: readonly T[]): T => {
  const item = items[Math.floor(dice() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
};

/** What users, KubeVirt and the kubelet do; each step makes sense in any state or does nothing. */
function createHands(stage: Stage, book: Book, dice: Dice) {
  const cast = createCast(stage.api);
  const list = (collection: keyof typeof COLLECTIONS) => stage.api.storage.list(COLLECTIONS[collection]);
  const find = (collection: keyof typeof COLLECTIONS, name: string): KubeObject | undefined =>
    list(collection).find(({ metadata }) => metadata.name === name && metadata.deletionTimestamp === undefined);
  const stop = (name: string) => {
    for (const pod of list('pods'))
      if (pod.metadata.name?.startsWith(`${name}-l`)) cast.remove('pods', `a/${pod.metadata.name}`);
    if (find('vmis', name) !== undefined) cast.remove('vmis', `a/${name}`);
  };
  const start = (name: string) => {
    const vm = find('vms', name);
    if (vm === undefined || find('vmis', name) !== undefined) return;
    const vmi = cast.vmi(name, vm);
    const node = pick(dice, ['n1', 'n2']);
    cast.launcher(`${name}-l${Math.floor(dice() * 1e6)}`, vmi, { node });
    cast.setStatus('vmis', `a/${name}`, { phase: 'Running', nodeName: node });
  };
  const ask = (nic: object) => ({ 'mooring.dev/nics': JSON.stringify({ default: nic }) });
  const makeVm = (name: string, annotations: Record<string, string>) => {
    if (find('vms', name) === undefined) cast.vm(name, { annotations });
  };
  const removeVm = (name: string) => {
    const vm = find('vms', name);
    if (vm === undefined) return;
    book.delete(vm.metadata?.uid ?? '');
    stop(name);
    cast.remove('vms', `a/${name}`);
  };
  const steps: readonly ((name: string) => void)[] = [
    (name) => void (find('pods', `p-${name}`) === undefined && cast.pod(`p-${name}`)),
    (name) => void (find('pods', `p-${name}`) !== undefined && cast.remove('pods', `a/p-${name}`)),
    (name) => {
      if (find('pods', `q-${name}`) !== undefined) return void cast.remove('pods', `a/q-${name}`);
      const annotations = { 'ovn.kubernetes.io/ip_pool': '10.16.0.230,10.16.0.231,10.16.0.232,10.16.0.233' };
      cast.pod(`q-${name}`, { annotations, node: pick(dice, ['n1', 'n2']) });
    },
    (name) => makeVm(name, {}),
    (name) => makeVm(name, { 'mooring.dev/release-policy': 'Retain', 'mooring.dev/adopt': 'true' }),
    start,
    start,
    stop,
    removeVm,
    (name) => {
      removeVm(name);
      makeVm(name, {});
    },
    (name) => {
      const vm = find('vms', name);
      if (vm === undefined) return;
      book.delete(vm.metadata?.uid ?? '');
      const ip = `10.16.0.${100 + Math.floor(dice() * 20)}`;
      cast.patch('vms', `a/${name}`, { spec: { template: { metadata: { annotations: ask({ ips: [ip] }) } } } });
    },
  ];
  return () => pick(dice, steps)(pick(dice, NAMES));
}

/** A VM's address, once seen, is the VM's until it goes or somebody asks for another one. */
function keepBook(stage: Stage, book: Book): string[] {
  const wrong: string[] = [];
  for (const { metadata, spec } of stage.listPorts()) {
    if (spec.owner.kind !== 'VirtualMachine' || spec.ips.length === 0) continue;
    if (!takeSnapshot(stage).owners.has(spec.owner.uid)) continue;
    const now = { ips: spec.ips.join(), mac: spec.mac };
    const before = book.get(spec.owner.uid);
    if (before !== undefined && before.ips !== now.ips) {
      wrong.push(`${metadata.name} had ${before.ips} and has ${now.ips}`);
    }
  }
  return wrong;
}

function enterBook(stage: Stage, book: Book): void {
  for (const { spec, status } of stage.listPorts()) {
    const isAsked = status?.conditions?.some(({ reason }) => reason === 'ChangePending');
    if (spec.owner.kind !== 'VirtualMachine' || spec.ips.length === 0 || isAsked) continue;
    if (!takeSnapshot(stage).owners.has(spec.owner.uid)) continue;
    book.set(spec.owner.uid, { ips: spec.ips.join(), mac: spec.mac });
  }
}

/** Conflicts, refusals and answers that get lost, each now and then. */
function makeTrouble(dice: Dice): () => Fault | undefined {
  const faults: readonly Fault[] = [
    { status: 409, reason: 'Conflict' },
    { status: 500 },
    { status: 504, reason: 'Timeout' },
    { status: 429, retryAfter: 0 },
    'reset',
    'lostAnswer',
  ];
  return () => (dice() < 0.12 ? pick(dice, faults) : undefined);
}

async function walk(seed: number): Promise<void> {
  await using stage = await startStage();
  using sentinel = postSentinel(stage);
  const dice = createDice(seed);
  const book: Book = new Map();
  const cast = createCast(stage.api);
  for (const name of ['n1', 'n2']) cast.node(name);
  const step = createHands(stage, book, dice);
  for (let deaths = 0, rests = 0; deaths < DEATHS && rests < 3 * DEATHS; ) {
    for (let n = 0; n < 3; n += 1) step();
    const death = { write: 1 + Math.floor(dice() * 9), when: pick(dice, ['before', 'after'] as const) };
    const mortal = arrangeDeath(stage.api, death, makeTrouble(dice));
    const operator = await stage.start({ wrapNb: mortal.wrapNb, lease: LONG_LEASE });
    await live(mortal, 100);
    for (let n = 0; n < 2; n += 1) step();
    await live(mortal, 100);
    if (mortal.dead) deaths += 1;
    else rests += 1;
    await bury(stage, operator);
    expect(keepBook(stage, book)).toEqual([]);
    expect(sentinel.wrong).toEqual([]);
    if ((deaths + rests) % 20 === 0) await inspect(stage, book);
  }
  await inspect(stage, book);
}

/** An operator that is let alone brings everything into order, and one more finds nothing to do. */
async function inspect(stage: Stage, book: Book): Promise<void> {
  const operator = await stage.start({ lease: LONG_LEASE });
  await whenSound(stage);
  expect(keepBook(stage, book)).toEqual([]);
  enterBook(stage, book);
  const next = await expectIdle(stage, operator, { lease: LONG_LEASE });
  await bury(stage, next);
}

describe('operators that die at any write, one after the other', () => {
  it.concurrent.each([1, 2, 3, 4, 5])(
    'F01 F02 F47 seed %i: pods and VMs come, go, stop, start, change, are kept and adopted: nothing twice, nothing lost',
    walk,
    240_000,
  );
});
