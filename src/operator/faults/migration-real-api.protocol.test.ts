import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../../test/operator/fleet.ts';
import { makeSpec } from '../../../test/operator/guest.ts';
import { arrangeCut, type Death } from '../../../test/operator/mortal.ts';
import { at, createRealCast } from '../../../test/operator/real-objects.ts';
import { useRealStage } from '../../../test/operator/real-stage.ts';
import { until } from '../../../test/ovsdb/server.ts';
import { KINDS } from '../../api/group.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { KubeObject } from '../../kube/index.ts';
import { NB } from '../../ovn/schema/nb.gen.ts';

const LSP = 'vm/a/db/default';

const stage = useRealStage();
const { resource } = stage;
const cast = createRealCast(stage);
let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet(stage, ['n1', 'n2', 'n3']);
}, 240_000);
afterAll(() => fleet?.[Symbol.asyncDispose]());

const patchVmi = (status: object) => cast.patchVmi('db', status);

async function startVm(): Promise<void> {
  const spec = makeSpec({ default: undefined });
  await cast.makeVm('db', { spec });
  await cast.makeVmi('db', spec);
  await cast.makeLauncher('db-l1', 'db');
  await patchVmi({ phase: 'Running', nodeName: 'n1' });
}

/** A VMIM and its target launcher. */
async function prepare(name: string, node: string): Promise<void> {
  const vmim = await resource(KINDS.vmim).create({ metadata: at(name), spec: { vmiName: 'db' } } as KubeObject);
  await cast.makeLauncher(`db-${name}`, 'db', { node, job: vmim.metadata?.uid ?? '' });
}

async function handOver(name: string, node: string): Promise<void> {
  const uid = (await resource(KINDS.vmim).get(at(name))).metadata?.uid ?? '';
  const fresh = { targetNodeDomainReadyTimestamp: null, completed: null, failed: null };
  const sides = { sourceNode: 'n1', targetNode: node, targetPod: `db-${name}` };
  await patchVmi({ migrationState: { ...fresh, ...sides, migrationUid: uid } });
  await resource(KINDS.vmim).patchStatus(at(name), { status: { phase: 'Running' } });
}

const READY = { targetNodeDomainReadyTimestamp: '2026-11-21T10:48:37Z' };

const findAsked = () =>
  [...stage.nb.nb.observed.rows(NB.Logical_Switch_Port).values()]
    .find(({ name }) => name === LSP)
    ?.options.get('requested-chassis');

async function plugWherePossible(): Promise<void> {
  const port = await resource<LogicalPort>(KINDS.logicalPort)
    .get(at('db.default.vm'))
    .catch(() => undefined);
  for (const { node } of port?.spec.attachments ?? []) {
    await fleet.ship(node).plug('db', { lsp: LSP, uid: port?.metadata.uid ?? '' });
  }
}

type Step = {
  readonly what: string;
  readonly play: () => Promise<unknown>;
  readonly asked: string;
  readonly bound: string;
  /** What else may be asked for on the way. */
  readonly via: readonly string[];
};

const STEPS: readonly Step[] = [
  { what: 'start', play: startVm, asked: 'n1', bound: 'n1 |  | up', via: ['mooring/unattached'] },
  { what: 'prepare', play: () => prepare('m1', 'n2'), asked: 'n1,n2', bound: 'n1 | n2 | up', via: ['n1'] },
  { what: 'hand over', play: () => handOver('m1', 'n2'), asked: 'n1,n2', bound: 'n1 | n2 | up', via: [] },
  {
    what: 'ready',
    play: () => patchVmi({ migrationState: READY }),
    asked: 'n2',
    bound: 'n2 |  | up',
    via: ['n1,n2', 'n2,n1'],
  },
  {
    what: 'fail',
    play: () =>
      patchVmi({ migrationState: { failed: true } }).then(() =>
        resource(KINDS.vmim).patchStatus(at('m1'), { status: { phase: 'Failed' } }),
      ),
    asked: 'n1',
    bound: 'n1 |  | up',
    via: ['n2', 'n1,n2'],
  },
  {
    what: 'prepare another one, the failed target lingers',
    play: () => prepare('m2', 'n3'),
    asked: 'n1,n3',
    bound: 'n1 | n3 | up',
    via: ['n1'],
  },
  {
    what: 'hand over and end at once',
    play: () =>
      handOver('m2', 'n3').then(() => patchVmi({ nodeName: 'n3', migrationState: { ...READY, completed: true } })),
    asked: 'n3',
    bound: 'n3 |  | up',
    via: ['n1,n3', 'n3,n1'],
  },
];

/** An operator for the time until all is as it must be, or until it is dead; tells whether it died. */
async function live(death: Death, { asked, bound, via }: Step): Promise<boolean> {
  const cut = arrangeCut(death);
  const operator = stage.start(cut);
  let steady = 0;
  let last = -1;
  try {
    await until(
      `${asked} and ${bound}`,
      async () => {
        expect([asked, ...via, undefined]).toContain(findAsked());
        if (cut.dead) return true;
        await plugWherePossible();
        const done = findAsked() === asked && fleet.findBinding(LSP) === bound && cut.writes === last;
        steady = done ? steady + 1 : 0;
        last = cut.writes;
        return steady > 10;
      },
      30_000,
    );
  } catch (error) {
    throw new Error(`asked ${findAsked()}, bound ${fleet.findBinding(LSP)}`, { cause: error });
  } finally {
    await stage.bury(operator);
  }
  return cut.dead;
}

describe('on a real API server', () => {
  it('F01 F24 F27 operators die at each of their first writes in every step of two migrations: the guest keeps its port', async () => {
    let deaths = 0;
    for (const step of STEPS) {
      await step.play();
      for (let write = 1; ; write += 1) {
        const died = await live({ write, when: write % 2 === 1 ? 'after' : 'before' }, step).catch((error: unknown) => {
          throw new Error(step.what, { cause: error });
        });
        if (!died) break;
        deaths += 1;
      }
    }
    expect(deaths).toBeGreaterThan(10);
    const port = await resource<LogicalPort>(KINDS.logicalPort).get(at('db.default.vm'));
    expect(port.spec.attachments?.map(({ node, podName }) => `${podName}@${node}`)).toEqual(['db-m2@n3']);
  }, 240_000);
});
