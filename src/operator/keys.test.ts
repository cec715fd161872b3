import { describe, expect, it } from 'vitest';
import type { Pod } from '../api/objects.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import { findErrorClass } from '../kube/errors.ts';
import { formatWorkloadKey, getPodKey, getPortKey, parseKey } from './keys.ts';

const podOf = (owner?: object): Pod => ({
  metadata: { name: 'p', namespace: 'a', ...(owner === undefined ? {} : { ownerReferences: [owner as never] }) },
});
const MARK = { 'kubevirt.io/ephemeral-provisioning': 'true' };
const marked = (owner: object | undefined, annotations: Record<string, string> = MARK): Pod => ({
  metadata: { ...podOf(owner).metadata, annotations },
});
const vmi = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstance', name: 'db', uid: 'u', controller: true };

describe('keys', () => {
  it.each<[string, Pod, string]>([
    ['a pod', podOf(), 'pod/a/p'],
    ['a launcher', podOf(vmi), 'vm/a/db'],
    ['a pod of something else', podOf({ ...vmi, kind: 'Job', apiVersion: 'batch/v1' }), 'pod/a/p'],
    ['a kind of that name in another group', podOf({ ...vmi, apiVersion: 'evil.io/v1' }), 'pod/a/p'],
    ['an owner that does not control', podOf({ ...vmi, controller: false }), 'pod/a/p'],
    ['a launcher without a guest', marked(vmi), 'pod/a/p'],
    ['one that is not marked', marked(vmi, { 'kubevirt.io/ephemeral-provisioning': 'false' }), 'vm/a/db'],
    ['a pod of nobody that is marked', marked(undefined), 'pod/a/p'],
    ['one without a guest whose owner has no name that a VMI can have', marked({ ...vmi, name: 'a/b' }), 'pod/a/p'],
  ])('of %s', (_cause, pod, key) => {
    expect(getPodKey(pod)).toBe(key);
  });

  it.each(['VirtualMachine', 'VirtualMachineInstance', 'Pod'] as const)('of a port of a %s', (kind) => {
    const port = { metadata: { name: 'x', namespace: 'a' }, spec: { owner: { kind, name: 'db', uid: 'u' } } };
    expect(getPortKey(port as unknown as LogicalPort)).toBe(kind === 'Pod' ? 'pod/a/db' : 'vm/a/db');
  });

  it('round-trip', () => {
    expect(parseKey(formatWorkloadKey('vm', 'a', 'db'))).toEqual({ kind: 'vm', namespace: 'a', name: 'db' });
    expect(parseKey('rows/LogicalPort/a/x')).toEqual({ kind: 'rows', name: 'LogicalPort/a/x' });
    expect(parseKey('node/n1')).toEqual({ kind: 'node', name: 'n1' });
    expect(parseKey('kubevirt/a/b')).toEqual({ kind: 'kubevirt', name: 'a/b' });
    expect(parseKey('policy/a/b')).toEqual({ kind: 'policy', name: 'a/b' });
    expect(parseKey('policygroup/0123')).toEqual({ kind: 'policygroup', name: '0123' });
  });

  it.each(['', 'vm/a', 'vm/a/b/c', 'x/y', 'pod//x'])('refuses %j, which no formatter made', (text) => {
    expect(() => parseKey(text)).toThrow(TypeError);
  });

  it('an owner reference that no VMI can have is not tried again', () => {
    const fault = (): unknown => {
      try {
        return parseKey(getPodKey(podOf({ ...vmi, name: 'a/b' })));
      } catch (error) {
        return error;
      }
    };
    expect(findErrorClass(fault())).toBe('terminal');
  });
});
