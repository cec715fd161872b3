import { describe, expect, it } from 'vitest';
import type { MigrationConfiguration, MigrationState, Vmi } from '../objects.ts';
import { aborted, deriveTerms, POST_COPY, planCopy } from './plan-copy.ts';
import type { Action, Guest } from './view.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const STATE: MigrationState = { migrationUid: 'm1', startTimestamp: '2026-01-01T00:00:00Z', mode: 'PreCopy' };
const PROCESS = { pid: 1, start: '1' };

function vmi(configuration: MigrationConfiguration, fields: Partial<Vmi['metadata']> = {}, guest = '128Mi'): Vmi {
  return {
    metadata: { name: 'vm1', ...fields },
    spec: { domain: { devices: {}, memory: { guest } } },
    status: { migrationState: { ...STATE, migrationConfiguration: configuration } },
  };
}

const guest = (migrate: string, run = 'running'): Guest => ({
  ...{ alive: true, run, migrate, relay: true, pod: undefined },
  record: {
    ...{ podUid: 'p', podName: 'p', namespace: 'default', vmi: 'vm1', vmiUid: 'u', node: 'node1', stage: 'booted' },
    ...{ nics: [], qemu: PROCESS, migrationUid: 'm1' },
  },
});

describe('the time that a migration may take', () => {
  it.each([
    ['128Mi', {}, 150],
    ['1Gi', {}, 300],
    ['4G', { completionTimeoutPerGiB: 10 }, 40],
  ])('of %s with %j is %d s', (memory, configuration, expected) =>
    expect(deriveTerms(vmi(configuration, {}, memory)).limitSeconds).toBe(expected),
  );
});

const AT_ONCE = { annotations: { [POST_COPY]: 'now' } };
const SHORT = { completionTimeoutPerGiB: 10 };

type Copy = { with: MigrationConfiguration; at: number; state?: Partial<MigrationState>; run?: string };
type Case = [string, Copy, Partial<Action> | undefined];

const DISRUPT = { ...SHORT, allowWorkloadDisruption: true };
const LATE = { allowPostCopy: true, ...SHORT };
const PAUSED = { mode: 'Paused' };
const ASKED = { abortRequested: true };

describe('a copy that goes on', () => {
  it.each<Case>([
    ['is left alone in time', { with: SHORT, at: 9 }, undefined],
    ['is given up after it', { with: SHORT, at: 11 }, { do: 'cancel' }],
    ['goes over to post-copy after it', { with: LATE, at: 11 }, { do: 'post-copy' }],
    ['does not before', { with: LATE, at: 9 }, undefined],
    ['pauses its guest', { with: DISRUPT, at: 11 }, { do: 'pause' }],
    ['says so', { with: DISRUPT, at: 11, run: 'paused' }, { do: 'note', change: PAUSED }],
    ['gets twice the time then', { with: DISRUPT, at: 19, state: PAUSED, run: 'paused' }, undefined],
    ['and no more', { with: DISRUPT, at: 21, state: PAUSED, run: 'paused' }, { do: 'cancel' }],
    ['is aborted in two steps', { with: SHORT, at: 1, state: ASKED }, { change: { abortStatus: 'Aborting' } }],
    ['of which one cancels', { with: SHORT, at: 1, state: { ...ASKED, abortStatus: 'Aborting' } }, { do: 'cancel' }],
  ])('%s', (_, { with: configuration, at, state, run }, expected) => {
    const action = planCopy(vmi(configuration), { ...STATE, ...state }, guest('active', run), START + at * 1000);
    if (expected === undefined) expect(action).toBeUndefined();
    else expect(action).toMatchObject(expected);
  });

  it('goes over to post-copy at once when the lab asks for it', () => {
    expect(planCopy(vmi({}, AT_ONCE), STATE, guest('active'), START)).toMatchObject({ do: 'post-copy' });
    expect(planCopy(vmi({}, AT_ONCE), STATE, guest('setup'), START)).toBeUndefined();
  });
});

describe('a guest that runs on the target already', () => {
  it('is said to be in post-copy', () => {
    const note = { do: 'note', change: { mode: 'PostCopy' } };
    expect(planCopy(vmi({}), STATE, guest('postcopy-active'), START)).toEqual(note);
  });

  it.each(['postcopy-active', 'completed'])('cannot be kept by an abort (%s)', (migrate) => {
    const state = { ...STATE, mode: 'PostCopy', abortRequested: true };
    expect(planCopy(vmi({}), state, guest(migrate), START)).toEqual({ do: 'note', change: { abortStatus: 'Failed' } });
    const told = { ...state, abortStatus: 'Failed' };
    expect(planCopy(vmi({}), told, guest(migrate), START)).toBeUndefined();
  });
});

describe('a copy of which QEMU says that it failed', () => {
  const reasonAt = (state: Partial<MigrationState>, seconds: number) => {
    const action = planCopy(vmi(SHORT), { ...STATE, ...state }, guest('failed'), START + seconds * 1000);
    return action?.do === 'note' ? action.change : undefined;
  };

  it('failed, unless it was to be cancelled', () => {
    expect(reasonAt({}, 1)).toEqual({ failed: true, failureReason: '' });
    expect(reasonAt({ abortRequested: true, abortStatus: 'Aborting' }, 1)).toMatchObject({ abortStatus: 'Succeeded' });
    expect(reasonAt({}, 11)).toMatchObject({ abortStatus: 'Succeeded' });
  });

  it('failed by itself when that came before the abort', () => {
    expect(reasonAt({ abortRequested: true }, 1)).not.toHaveProperty('abortStatus');
  });
});

it('says for whom a copy was cancelled', () => {
  const reason = (state: MigrationState) => {
    const action = aborted(state, deriveTerms(vmi(SHORT)));
    return action.do === 'note' ? action.change.failureReason : '';
  };
  expect(reason({ ...STATE, abortRequested: true })).toBe('Live migration aborted ');
  expect(reason(STATE)).toBe('Live migration is not completed after 10 seconds and has been aborted');
});
