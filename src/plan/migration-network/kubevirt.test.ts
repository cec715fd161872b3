import { describe, expect, it } from 'vitest';
import type { KubeVirt } from '../../api/objects.ts';
import { isSameQuantity, parseMark, planKubevirt, planTakeBack, type Setting } from './kubevirt.ts';
import { makeKubevirt } from './testing/facts.ts';

const MARK = 'mooring.dev/migration-network';
const OURS = 'mooring-migration-lab';
const markOf = (patch: object | undefined): unknown => {
  const { annotations } =
    (patch as { metadata?: { annotations?: Record<string, string> } } | undefined)?.metadata ?? {};
  const text = annotations?.[MARK];
  return text === undefined || text === null ? text : JSON.parse(text);
};
const migrationsOf = (patch: object | undefined): unknown =>
  (patch as KubeVirt | undefined)?.spec?.configuration?.migrations;

/** What KubeVirt's object says and what of it is ours; what is wanted; what is written, as migrations and as mark. */
type Case = [string, KubeVirt, Partial<Setting>, object | undefined, object | null | undefined];

describe('KubeVirt is told', () => {
  it.each<Case>([
    ['the network, when it has none', makeKubevirt(), {}, { network: OURS }, { owner: 'lab', network: OURS }],
    [
      'the bandwidth too',
      makeKubevirt(),
      { bandwidth: '64Mi' },
      { network: OURS, bandwidthPerMigration: '64Mi' },
      { owner: 'lab', network: OURS, bandwidth: '64Mi' },
    ],
    ['nothing twice', makeKubevirt({ network: OURS }, { owner: 'lab', network: OURS }), {}, undefined, undefined],
    [
      'another network instead of the one we had set',
      makeKubevirt({ network: 'earlier' }, { owner: 'lab', network: 'earlier' }),
      {},
      { network: OURS },
      { owner: 'lab', network: OURS },
    ],
    [
      'by a new network of what an earlier one left behind',
      makeKubevirt({ network: 'mooring-migration-old' }, { owner: 'old', network: 'mooring-migration-old' }),
      {},
      { network: OURS },
      { owner: 'lab', network: OURS },
    ],
    ['nothing when a user named our network himself', makeKubevirt({ network: OURS }), {}, undefined, undefined],
    [
      'no bandwidth any more when none is asked for',
      makeKubevirt(
        { network: OURS, bandwidthPerMigration: '64Mi' },
        { owner: 'lab', network: OURS, bandwidth: '64Mi' },
      ),
      {},
      { bandwidthPerMigration: null },
      { owner: 'lab', network: OURS },
    ],
    [
      'nothing when it writes our bandwidth in another way',
      makeKubevirt(
        { network: OURS, bandwidthPerMigration: 67108864 },
        { owner: 'lab', network: OURS, bandwidth: '64Mi' },
      ),
      { bandwidth: '64Mi' },
      undefined,
      undefined,
    ],
    [
      'the network again after somebody took it away',
      makeKubevirt({}, { owner: 'lab', network: OURS }),
      {},
      { network: OURS },
      undefined,
    ],
    [
      'the network when an empty one is there',
      makeKubevirt({ network: '' }),
      {},
      { network: OURS },
      { owner: 'lab', network: OURS },
    ],
  ])('%s', (...[, kubevirt, wanted, migrations, mark]) => {
    const plan = planKubevirt(kubevirt, 'lab', { network: OURS, ...wanted });
    expect(plan.ok).toBe(true);
    const patch = plan.ok ? plan.value.patch : undefined;
    expect(migrationsOf(patch)).toEqual(migrations);
    expect(markOf(patch)).toEqual(mark);
  });

  it.each([
    ['set by somebody else', makeKubevirt({ network: 'theirs' })],
    ['set by somebody else after us', makeKubevirt({ network: 'theirs' }, { owner: 'lab', network: OURS })],
    ['with a mark that says nothing', makeKubevirt({ network: 'theirs' }, '[1]')],
    ['with a mark without an owner', makeKubevirt({ network: 'theirs' }, { network: 'theirs' })],
    ['whose mark is no text', makeKubevirt({ network: 'theirs' }, { owner: 'lab', network: 7 })],
  ])('nothing while it has a network %s', (_what, kubevirt) => {
    expect(planKubevirt(kubevirt, 'lab', { network: OURS })).toMatchObject({
      ok: false,
      problem: { reason: 'NetworkSetByUser', message: expect.stringContaining('"theirs"') },
    });
  });

  it('of no bandwidth when somebody else has set another one, and the user hears of it', () => {
    const plan = planKubevirt(makeKubevirt({ bandwidthPerMigration: '1Gi' }), 'lab', {
      network: OURS,
      bandwidth: '1Mi',
    });
    expect(plan).toMatchObject({ ok: true, value: { notes: [expect.stringContaining('stays "1Gi"')] } });
    expect(plan.ok && migrationsOf(plan.value.patch)).toEqual({ network: OURS });
  });
});

describe('taking back', () => {
  it.each<[string, KubeVirt, object | undefined, null | undefined]>([
    [
      'all that is ours',
      makeKubevirt(
        { network: OURS, bandwidthPerMigration: '64Mi' },
        { owner: 'lab', network: OURS, bandwidth: '64Mi' },
      ),
      { network: null, bandwidthPerMigration: null },
      null,
    ],
    [
      'only the mark where a user has changed both',
      makeKubevirt({ network: 'theirs', bandwidthPerMigration: 1 }, { owner: 'lab', network: OURS, bandwidth: '64Mi' }),
      undefined,
      null,
    ],
    [
      'only the mark where a user took the network away',
      makeKubevirt({}, { owner: 'lab', network: OURS }),
      undefined,
      null,
    ],
    [
      'nothing of another network',
      makeKubevirt({ network: 'x' }, { owner: 'other', network: 'x' }),
      undefined,
      undefined,
    ],
    ['nothing that a user set', makeKubevirt({ network: OURS }), undefined, undefined],
    [
      'the network alone when the bandwidth was never ours',
      makeKubevirt({ network: OURS, bandwidthPerMigration: '1Gi' }, { owner: 'lab', network: OURS }),
      { network: null },
      null,
    ],
  ])('%s', (_what, kubevirt, migrations, mark) => {
    const patch = planTakeBack(kubevirt, 'lab');
    expect(migrationsOf(patch)).toEqual(migrations);
    expect(markOf(patch)).toEqual(mark);
  });
});

describe('the mark', () => {
  it.each([
    ['is not there', makeKubevirt()],
    ['is no JSON', makeKubevirt({}, '{')],
    ['is longer than anything of ours', makeKubevirt({}, JSON.stringify({ owner: 'lab', x: 'y'.repeat(70_000) }))],
    ['has an owner of no text', makeKubevirt({}, { owner: ['lab'] })],
    ['inherits its owner', makeKubevirt({}, '{"__proto__":{"owner":"lab"}}')],
  ])('means nothing when it %s', (_what, kubevirt) => {
    expect(parseMark(kubevirt)).toBeUndefined();
  });
});

describe('two quantities', () => {
  it.each([
    ['64Mi', '67108864', true],
    ['1Gi', '1024Mi', true],
    ['1G', '1000M', true],
    ['1k', '1000', true],
    ['1Ki', '1000', false],
    ['64Mi', '64M', false],
    ['0.5Gi', '0.5Gi', true],
    ['0.5Gi', '512Mi', false],
    ['x', 'y', false],
  ])('%s and %s', (a, b, same) => {
    expect(isSameQuantity(a, b)).toBe(same);
  });
});
