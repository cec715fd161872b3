import { describe, expect, it } from 'vitest';
import { planDelay } from './backoff.ts';
import { compareHistory, extendHistory, findUnsuitable, type ServerRow } from './server.ts';
import { parseRemote } from './transport.ts';

const CID = '00000000-0000-4000-8000-000000000001';
const OTHER = '00000000-0000-4000-8000-000000000002';

function row(change: Partial<ServerRow> = {}): ServerRow {
  return { name: 'D', model: 'clustered', connected: true, leader: true, cid: CID, sid: OTHER, index: 5n, ...change };
}

describe('findUnsuitable', () => {
  it.each<[string, ServerRow | undefined, boolean, RegExp | undefined]>([
    ['a leader', row(), true, undefined],
    ['a follower, any member wanted', row({ leader: false }), false, undefined],
    ['a follower, the leader wanted', row({ leader: false }), true, /leader/],
    ['a standalone server, the leader wanted', row({ model: 'standalone', leader: false }), true, undefined],
    ['a member cut off from its cluster', row({ connected: false }), false, /connected/],
    ['a server without the database', undefined, false, /does not have/],
  ])('%s', (_name, server, leaderOnly, reason) => {
    const found = findUnsuitable(server, leaderOnly);
    if (reason === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(reason);
  });
});

describe('history', () => {
  const seen = { cid: CID, index: 5n };
  it.each<[string, Partial<ServerRow>, string]>([
    ['the same index', {}, 'ok'],
    ['a later index', { index: 6n }, 'ok'],
    ['an earlier index', { index: 4n }, 'behind'],
    ['another cluster', { cid: OTHER, index: 9n }, 'other-cluster'],
    ['a member that does not know its cluster yet', { cid: undefined }, 'ok'],
    ['a standalone server', { model: 'standalone', cid: undefined, index: undefined }, 'ok'],
  ])('%s', (_name, change, verdict) => {
    expect(compareHistory(seen, row(change))).toBe(verdict);
  });

  it('accepts anything when nothing was seen', () => {
    expect(compareHistory(undefined, row({ index: 0n }))).toBe('ok');
  });

  it('only grows', () => {
    expect(extendHistory(undefined, row())).toEqual(seen);
    expect(extendHistory(seen, row({ index: 9n }))).toEqual({ cid: CID, index: 9n });
    expect(extendHistory(seen, row({ index: 2n, cid: undefined }))).toEqual(seen);
    expect(extendHistory(seen, row({ model: 'standalone' }))).toEqual(seen);
  });
});

describe('planDelay', () => {
  const options = { minMs: 100, maxMs: 1000, random: () => 1 };
  it.each([
    [0, 3, 0],
    [1, 3, 0],
    [2, 3, 0],
    [3, 3, 100],
    [4, 3, 0],
    [6, 3, 200],
    [9, 3, 400],
    [1, 1, 100],
    [4, 1, 800],
    [5, 1, 1000],
    [100_000, 1, 1000],
  ])('attempt %i over %i remotes waits %i ms', (attempt, remotes, ms) => {
    expect(planDelay(attempt, remotes, options)).toBe(ms);
  });

  it('takes off up to half by chance', () => {
    expect(planDelay(1, 1, { ...options, random: () => 0 })).toBe(50);
  });
});

describe('parseRemote', () => {
  it.each([
    ['unix:/run/a b.sock', { scheme: 'unix', path: '/run/a b.sock' }],
    ['tcp:10.0.0.1:6641', { scheme: 'tcp', host: '10.0.0.1', port: 6641 }],
    ['ssl:db.example:6641', { scheme: 'ssl', host: 'db.example', port: 6641 }],
    ['ssl:[fd00::1]:6641', { scheme: 'ssl', host: 'fd00::1', port: 6641 }],
    ['tcp:[fe80::1%eth0]:1', { scheme: 'tcp', host: 'fe80::1%eth0', port: 1 }],
  ])('reads %s', (text, remote) => {
    expect(parseRemote(text)).toEqual(remote);
  });

  it.each([
    '',
    'unix:',
    '/run/x',
    'udp:a:1',
    'tcp:a',
    'tcp:a:0',
    'tcp:a:65536',
    'tcp:fd00::1:6641',
    'tcp::1',
    'ssl:a:x',
  ])('refuses %j', (text) => {
    expect(() => parseRemote(text)).toThrow(expect.objectContaining({ code: 'bad-remote', class: 'terminal' }));
  });
});
