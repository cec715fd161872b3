import { describe, expect, test } from 'vitest';
import type { LogicalPort } from '../../api/types.gen.ts';
import { fromCode } from '../../netlink/errors.ts';
import type { Context } from './context.ts';
import { DeadlineError } from './deadline.ts';
import { CniError } from './errors.ts';
import { explain, refuseBroken } from './explain.ts';
import type { AttachRequest } from './request.ts';
import { STAGES, type Stage } from './stages.ts';

const request: AttachRequest = {
  containerId: 'c1',
  ifname: 'eth0',
  netns: '/run/netns/x',
  pod: { namespace: 'shop', name: 'web', uid: 'u1' },
  config: { cniVersion: '1.0.0', name: 'mooring', type: 'mooring', fields: new Map() },
};
const port = (status: object): LogicalPort =>
  ({ metadata: { namespace: 'shop', name: 'web.eth0.pod' }, status }) as unknown as LogicalPort;
const makeContext = (facts: { synced?: boolean; live?: boolean; port?: LogicalPort }): Context =>
  ({
    cluster: { hasSynced: () => facts.synced ?? true, findPod: () => undefined, findPort: () => facts.port },
    ports: { isLive: () => facts.live ?? true },
  }) as unknown as Context;
const late = (stage: Stage, facts = {}) => explain(makeContext(facts), { request, stage }, new DeadlineError(60_000));
const condition = (type: string, status: string, reason: string, message: string) => ({
  type,
  status,
  reason,
  message,
});

describe('the words of a failed ADD', () => {
  test.each(STAGES)('at %s: name pod, interface and what was waited for', (stage) => {
    expect(late(stage).message).toMatch(/^pod shop\/web interface eth0: waited 60 s for .+; .+/);
    expect(JSON.parse(late(stage).details ?? '')).toEqual({ stage, class: 'retry' });
  });

  test.each([
    ['port', {}, 'kubectl -n shop get logicalports'],
    ['port', { synced: false }, 'the API server has not answered'],
    ['pod', { synced: false }, 'the API server has not answered'],
    ['ovs', { live: false }, 'is the ovn-node pod of this node running?'],
    [
      'installed',
      { port: port({ phase: 'Ready' }) },
      'LogicalPort shop/web.eth0.pod is Ready; look at the log of ovn-controller',
    ],
    ['installed', {}, 'its LogicalPort is gone'],
    [
      'installed',
      { port: port({ conditions: [condition('Programmed', 'False', 'OVNUnavailable', 'NB is away')] }) },
      'without status (NB is away)',
    ],
  ] as [Stage, object, string][])('at %s with %j: say where to look', (stage, facts, words) => {
    expect(late(stage, facts).message).toContain(words);
  });

  test('only the wait for OVN has the code of a binding timeout', () => {
    expect(late('installed').code).toBe('bindingTimeout');
    expect(late('port').code).toBe('tryAgain');
  });

  test.each([
    ['an error of ours keeps its code', new CniError('fenced', 'taken over'), 'fenced', 'eth0: taken over'],
    ["the host's namespace", fromCode('EHOSTNETNS', 'x'), 'netns', 'eth0: veth: x'],
    ['a namespace that is gone', fromCode('ENOENT', 'x'), 'netns', 'eth0: veth: x'],
    ['a name that is taken', fromCode('EEXIST', 'x'), 'io', 'eth0: veth: x'],
    ['anything else', new Error('disk full'), 'io', 'eth0: veth: disk full'],
  ])('%s', (_cause, error, code, words) => {
    const explained = explain(makeContext({}), { request, stage: 'veth' }, error);
    expect(explained.code).toBe(code);
    expect(explained.message).toContain(words);
  });
});

describe('a port that the operator has given up on', () => {
  const refuse = (status: object): string => {
    try {
      refuseBroken(port(status));
      return 'accepted';
    } catch (error) {
      return error instanceof CniError ? `${error.code}: ${error.message}` : String(error);
    }
  };

  test.each([
    [{ phase: 'Conflict' }, 'conflict: LogicalPort shop/web.eth0.pod: AddressConflict'],
    [{ conditions: [condition('Allocated', 'False', 'SubnetFull', 'no address')] }, 'poolExhausted: '],
    [{ conditions: [condition('Allocated', 'False', 'AddressInUse', 'held by a/b')] }, 'reservedByOther: '],
    [{ conditions: [condition('Allocated', 'False', 'SubnetNotFound', 'gone')] }, 'SubnetNotFound: gone'],
  ])('%j is refused at once', (status, words) => {
    expect(refuse(status)).toContain(words);
  });

  test.each([
    [{}],
    [{ phase: 'Pending' }],
    [{ conditions: [condition('Allocated', 'Unknown', 'x', '')] }],
    [{ conditions: [condition('Programmed', 'False', 'OVNUnavailable', '')] }],
  ])('%j is waited for', (status) => {
    expect(refuse(status)).toBe('accepted');
  });
});
