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
const port = (status: object, generation?: number): LogicalPort =>
  ({ metadata: { namespace: 'shop', name: 'web.eth0.pod', generation }, status }) as unknown as LogicalPort;
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
    [
      'port',
      { port: port({ conditions: [condition('Allocated', 'False', 'SubnetNotReady', 'being made')] }) },
      'LogicalPort shop/web.eth0.pod has no address (SubnetNotReady: being made)',
    ],
    ['port', { port: port({}) }, 'LogicalPort shop/web.eth0.pod has no address (no condition yet)'],
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
  const refuse = (status: object, generation?: number): string => {
    try {
      refuseBroken(port(status, generation));
      return 'accepted';
    } catch (error) {
      return error instanceof CniError ? `${error.code}: ${error.message}` : String(error);
    }
  };
  const unallocated = (reason: string, more: object = {}) => ({
    conditions: [{ ...condition('Allocated', 'False', reason, 'why'), ...more }],
  });

  test.each([
    ['SubnetFull', 'poolExhausted'],
    ['PoolFull', 'poolExhausted'],
    ['AddressInUse', 'reservedByOther'],
    ['AddressRetained', 'reservedByOther'],
    ...[
      ...['AddressConflict', 'AddressOutsideSubnet', 'AddressReserved', 'RequestDisagreement', 'InvalidRequest'],
      ...['SubnetNotFound', 'SubnetNotAllowed', 'VpcNotFound', 'VpcNotAllowed', 'PoolNotFound', 'PoolNotAllowed'],
      ...['InvalidPool', 'NetworkAttachmentNotFound', 'NetworkAttachmentInvalid', 'IPAMClaimNotFound', 'InvalidCIDR'],
      ...['BindingNotPossible'],
    ].map((reason) => [reason, 'conflict'] as const),
  ] as const)('%s is refused at once', (reason, code) => {
    expect(refuse(unallocated(reason))).toBe(`${code}: LogicalPort shop/web.eth0.pod: ${reason}: why`);
  });

  test('phase Conflict is refused whatever else is said', () => {
    expect(refuse({ phase: 'Conflict' })).toContain('conflict: LogicalPort shop/web.eth0.pod: AddressConflict');
    expect(refuse({ phase: 'Conflict', ...unallocated('Unheard') })).toContain('conflict: ');
  });

  test.each([
    ['no condition', {}],
    ['a phase', { phase: 'Pending' }],
    ['an unknown condition', { conditions: [condition('Allocated', 'Unknown', 'x', '')] }],
    ['rows that are not written', { conditions: [condition('Programmed', 'False', 'OVNUnavailable', '')] }],
    ['a subnet that is being made', unallocated('SubnetNotReady')],
    ['a reason of tomorrow', unallocated('Unheard')],
    ['a change that waits', { conditions: [condition('Allocated', 'True', 'ChangePending', 'later')] }],
  ])('%s is waited for', (_cause, status) => {
    expect(refuse(status)).toBe('accepted');
  });

  test('a status of an older spec says nothing: the operator writes the spec first', () => {
    expect(refuse(unallocated('SubnetFull', { observedGeneration: 1 }), 2)).toBe('accepted');
    expect(refuse(unallocated('SubnetFull', { observedGeneration: 2 }), 2)).toContain('SubnetFull');
    expect(refuse({ phase: 'Conflict', ...unallocated('AddressInUse', { observedGeneration: 1 }) }, 2)).toBe(
      'accepted',
    );
  });
});
