import { describe, expect, it } from 'vitest';
import type { LogicalPort } from '../../../api/types.gen.ts';
import { formatCarryKey, isCommitted, planCarries } from './plan.ts';
import { formatAttachment as at, formatJournal, formatPort } from './testing/records.ts';

const SOURCE = formatJournal('s', '/run/netns/source');
const TARGET = formatJournal('t', '/run/netns/target');

const plan = (port: LogicalPort, node: string, journal = [SOURCE, TARGET]) => planCarries([port], journal, node);

describe('which ports are carried', () => {
  it('a masquerade port with a target elsewhere: out of the source, into the target', () => {
    const port = formatPort('p1');
    expect(plan(port, 'a').outgoing).toEqual([
      expect.objectContaining({ portUid: 'p1', source: 'a', target: 'b', netnsPaths: ['/run/netns/source'] }),
    ]);
    expect(plan(port, 'a').incoming).toEqual([]);
    expect(plan(port, 'b').incoming).toEqual([
      expect.objectContaining({ podUid: 't', interface: 'eth0', netnsPaths: ['/run/netns/target'] }),
    ]);
    expect(plan(port, 'b').outgoing).toEqual([]);
  });

  it.each([
    ['another binding', formatPort('p', { binding: 'bridge' })],
    ['no binding', formatPort('p', { binding: undefined as never })],
    ['no attachment', formatPort('p', { attachments: [] })],
    ['attachments absent', formatPort('p', { attachments: undefined as never })],
    ['a settled port', formatPort('p', { attachments: [at('t', 'b', 'Source')] })],
    ['a target without a source', formatPort('p', { attachments: [at('t', 'b', 'Target')] })],
    ['a move within one node', formatPort('p', { attachments: [at('s', 'b', 'Source'), at('t', 'b', 'Target')] })],
    [
      'two targets',
      formatPort('p', { attachments: [at('s', 'a', 'Source'), at('t', 'b', 'Target'), at('u', 'c', 'Target')] }),
    ],
    [
      'sources on two nodes',
      formatPort('p', { attachments: [at('s', 'a', 'Source'), at('r', 'c', 'Source'), at('t', 'b', 'Target')] }),
    ],
    ['a port without a UID', { ...formatPort('p'), metadata: { name: 'p' } }],
  ])('not %s', (_cause, port) => {
    for (const node of ['a', 'b', 'c']) expect(plan(port, node)).toEqual({ incoming: [], outgoing: [] });
  });

  it('nothing on a node that the attachments do not name', () => {
    expect(plan(formatPort('p'), 'c')).toEqual({ incoming: [], outgoing: [] });
  });

  it('several launchers of the VM on the source node are all read', () => {
    const attachments = [at('s', 'a', 'Source'), at('old', 'a', 'Source'), at('t', 'b', 'Target')];
    const journal = [SOURCE, formatJournal('old', '/run/netns/old')];
    const [carry] = plan(formatPort('p', { attachments }), 'a', journal).outgoing;
    expect(carry?.netnsPaths).toEqual(['/run/netns/source', '/run/netns/old']);
  });

  it.each([
    ['an ADD that has not finished', { state: 'wiring' as const }],
    ['a DEL under way', { state: 'releasing' as const }],
    ["another plugin's interface", { ipam: true as const }],
    ['another interface of the pod', { ifname: 'pod1' }],
    ['another pod', { pod: { namespace: 'shop', name: 'x', uid: 'x' } }],
  ])('no namespace from %s', (_cause, more) => {
    const [carry] = plan(formatPort('p'), 'b', [formatJournal('t', '/run/netns/target', more)]).incoming;
    expect(carry?.netnsPaths).toEqual([]);
  });

  it('is in the order of UIDs, whatever the order of the ports', () => {
    const ports = ['p3', 'p1', 'p2'].map((uid) => formatPort(uid));
    const uids = (list: LogicalPort[]) => planCarries(list, [TARGET], 'b').incoming.map(({ portUid }) => portUid);
    expect(uids(ports)).toEqual(['p1', 'p2', 'p3']);
    expect(uids(ports.toReversed())).toEqual(['p1', 'p2', 'p3']);
  });
});

describe('the end of a carry', () => {
  const [carry] = plan(formatPort('p'), 'b').incoming;

  it.each([
    ['the target launcher is the source now', [at('t', 'b', 'Source')], true],
    ['the port went back', [at('s', 'a', 'Source')], false],
    ['the target still waits', [at('s', 'a', 'Source'), at('t', 'b', 'Target')], false],
  ])('%s', (_cause, attachments, expected) => {
    expect(carry && isCommitted(carry, [formatPort('p', { attachments })])).toBe(expected);
  });

  it('is no commit when the port is not there any more', () => {
    expect(carry && isCommitted(carry, [])).toBe(false);
  });

  it('another target launcher, source or sandbox is another carry', () => {
    const keys = [
      plan(formatPort('p'), 'b'),
      plan(formatPort('p', { attachments: [at('s', 'a', 'Source'), at('t2', 'b', 'Target')] }), 'b'),
      plan(formatPort('p', { attachments: [at('s', 'c', 'Source'), at('t', 'b', 'Target')] }), 'b'),
      plan(formatPort('p'), 'b', [formatJournal('t', '/run/netns/anew')]),
    ].flatMap(({ incoming }) => incoming.map(formatCarryKey));
    expect(new Set(keys).size).toBe(4);
  });
});
