import { describe, expect, it } from 'vitest';
import type { Pod, VirtualMachineInstance } from '../api/objects.ts';
import { parseLauncher, parseVmi, parseVmim } from './parse.ts';

type Status = NonNullable<VirtualMachineInstance['status']>;

const makeVmi = (migrationState: Status['migrationState']) =>
  parseVmi({
    metadata: { name: 'vm', uid: 'v1' },
    status: { phase: 'Running', migrationState },
  } as VirtualMachineInstance);

const makePod = (
  owner: { kind: string; apiVersion: string; uid: string },
  extra: Partial<Pod['metadata']> = {},
): Pod => ({
  metadata: { name: 'p', uid: 'u', ownerReferences: [{ ...owner, name: 'vm', controller: true }], ...extra },
  spec: { nodeName: 'n1' },
  status: { phase: 'Running' },
});
const BY_VMI = { kind: 'VirtualMachineInstance', apiVersion: 'kubevirt.io/v1', uid: 'v1' };

describe('parseVmi', () => {
  it('takes empty names for missing ones', () => {
    const vmi = makeVmi({ migrationUid: '', sourceNode: '', targetNode: '', sourcePod: '', targetPod: '' });
    expect(vmi.migrationState).toEqual({});
  });

  it.each([
    ['PreCopy', undefined],
    ['PostCopy', true],
    ['Paused', undefined],
  ])('mode %s', (mode, postCopy) => {
    expect(makeVmi({ migrationUid: 'm1', mode }).migrationState?.postCopy).toBe(postCopy);
  });

  it('a timestamp, whatever it says, means that the domain is ready', () => {
    const state = makeVmi({ migrationUid: 'm1', targetNodeDomainReadyTimestamp: '2026-11-21T10:48:37Z' });
    expect(state.migrationState?.domainReady).toBe(true);
  });

  it.each<[string, Status['migrationState'], boolean | undefined]>([
    ['before 1.6', { migrationUid: 'm1' }, undefined],
    ['sides without UIDs', { migrationUid: 'm1', sourceState: {}, targetState: {} }, undefined],
    [
      'both of this VMI',
      {
        migrationUid: 'm1',
        sourceState: { virtualMachineInstanceUID: 'v1' },
        targetState: { virtualMachineInstanceUID: 'v1' },
      },
      undefined,
    ],
    ['to another VMI', { migrationUid: 'm1', targetState: { virtualMachineInstanceUID: 'v2' } }, true],
    ['from another VMI', { migrationUid: 'm1', sourceState: { virtualMachineInstanceUID: 'v2' } }, true],
  ])('sides of a migration: %s', (_, state, foreign) => {
    expect(makeVmi(state).migrationState?.foreign).toBe(foreign);
  });
});

describe('parseVmim', () => {
  it.each([
    [{ vmiName: 'vm' }, undefined],
    [{ vmiName: 'vm', sendTo: {} }, true],
    [{ vmiName: 'vm', receive: {} }, true],
  ])('%j', (spec, decentralized) => {
    expect(parseVmim({ metadata: { name: 'm', uid: 'm1' }, spec }).decentralized).toBe(decentralized);
  });
});

describe('parseLauncher', () => {
  it('knows a target by its label and a stand-in for storage by its annotation', () => {
    expect(parseLauncher(makePod(BY_VMI, { labels: { 'kubevirt.io/migrationJobUID': 'm1' } }))).toMatchObject({
      vmiUid: 'v1',
      node: 'n1',
      migrationJobUid: 'm1',
    });
    const annotations = { 'kubevirt.io/ephemeral-provisioning': 'true' };
    expect(parseLauncher(makePod(BY_VMI, { annotations }))?.ephemeral).toBe(true);
  });

  it.each([
    ['an attachment pod, which a launcher owns', { kind: 'Pod', apiVersion: 'v1', uid: 'launcher' }],
    ['a pod of another group with the same kind', { ...BY_VMI, apiVersion: 'example.org/v1' }],
  ])('%s is no launcher', (_, owner) => {
    expect(parseLauncher(makePod(owner, { labels: { 'kubevirt.io': 'virt-launcher' } }))).toBeUndefined();
  });

  it.each(['Succeeded', 'Failed'])('phase %s is final', (phase) => {
    expect(parseLauncher({ ...makePod(BY_VMI), status: { phase } })?.final).toBe(true);
  });
});
