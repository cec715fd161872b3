import { describe, expect, it } from 'vitest';
import type { Pod, Vmi } from '../objects.ts';
import type { Context } from './plan.ts';
import { findCurrentPod } from './plan-vmi.ts';
import { EPHEMERAL, isStorageOnly, planAttachment, planProvisioning, planStorageOnly } from './plan-volumes.ts';
import { deriveSettings } from './settings.ts';

const settings = deriveSettings(undefined);
const CONTEXT: Context = { now: '2026-01-01T00:00:00Z', image: 'x', qemuTimeout: 1, plugins: {}, settings };

const vmiWith = (annotations: Record<string, string>, provisioning?: string): Vmi => ({
  metadata: { name: 'a', namespace: 'n', uid: 'vmi', annotations },
  spec: { domain: { devices: {} } },
  status: { phase: 'Pending', conditions: provisioning ? [{ type: 'Provisioning', status: provisioning }] : [] },
});
const podWith = (metadata: Pod['metadata'], ready: boolean): Pod => ({
  metadata: { name: 'p', namespace: 'n', uid: 'p', ...metadata },
  spec: { nodeName: 'node2' },
  status: ready ? { phase: 'Running', containerStatuses: [{ name: 'compute', ready }] } : { phase: 'Pending' },
});

describe('a volume that waits for its first consumer', () => {
  const waiting = { 'lab.mooring.dev/first-consumer': '' };
  const ghost = (ready: boolean, more: Pod['metadata'] = {}) =>
    podWith({ annotations: { [EPHEMERAL]: 'true' }, ...more }, ready);

  it('gets a storage-only launcher with owner and labels of a real one, and no guest in it', () => {
    const write = planProvisioning(vmiWith(waiting), [], CONTEXT);
    const pod = (typeof write === 'object' && write.verb === 'create' ? write.object : undefined) as Pod;
    expect(isStorageOnly(pod)).toBe(true);
    expect(pod.metadata.labels).toMatchObject({ 'kubevirt.io': 'virt-launcher', 'kubevirt.io/created-by': 'vmi' });
    expect(pod.metadata.ownerReferences?.[0]?.uid).toBe('vmi');
    expect((pod.spec.containers as { command: string[] }[])[0]?.command).toEqual(['/usr/bin/virt-tail']);
  });

  it('makes the launcher wait until the scheduler has chosen a node for it', () => {
    const unbound = { ...ghost(false), spec: {} };
    expect(planProvisioning(vmiWith(waiting), [unbound], CONTEXT)).toMatchObject({
      object: { status: { conditions: [{ type: 'Provisioning', status: 'True' }] } },
    });
    expect(planProvisioning(vmiWith(waiting, 'True'), [unbound], CONTEXT)).toBe('wait');
    expect(planProvisioning(vmiWith(waiting, 'True'), [ghost(false)], CONTEXT)).toMatchObject({
      object: { status: { conditions: [{ type: 'Provisioning', status: 'False' }] } },
    });
    expect(planProvisioning(vmiWith(waiting, 'False'), [ghost(false)], CONTEXT)).toBeUndefined();
  });

  it('lets it go when it runs, and never takes it for the launcher of the guest', () => {
    expect(planStorageOnly([ghost(false)])).toBeUndefined();
    expect(planStorageOnly([ghost(true)])).toMatchObject({ verb: 'delete', uid: 'p' });
    expect(planStorageOnly([ghost(true, { deletionTimestamp: 'x' })])).toBeUndefined();
    expect(planStorageOnly([podWith({}, true)])).toBeUndefined();
    expect(findCurrentPod(vmiWith(waiting), [ghost(true), podWith({ uid: 'real' }, true)])?.metadata.uid).toBe('real');
  });

  it('is not there without the annotation', () => {
    expect(planProvisioning(vmiWith({}), [], CONTEXT)).toBeUndefined();
  });
});

describe('a target of a VMI with a plugged volume', () => {
  const target = podWith({ name: 'launcher', uid: 'l' }, true);
  const plugged = (value: string) => vmiWith({ 'lab.mooring.dev/plugged-volume': value });
  const owned = (ready: boolean) =>
    podWith({ ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'launcher', uid: 'l' }] }, ready);

  it.each([
    ['ready', 'node2'],
    ['stuck', 'no-such-node'],
  ])('(%s) gets a pod of its own that attaches it', (value, node) => {
    expect(planAttachment(plugged(value), target, [], CONTEXT)).toMatchObject({
      verb: 'create',
      object: {
        metadata: { ownerReferences: [{ uid: 'l' }] },
        spec: { nodeSelector: { 'kubernetes.io/hostname': node } },
      },
    });
  });

  it('waits until that pod is ready; another launcher of the VMI has another one', () => {
    expect(planAttachment(plugged('ready'), target, [owned(false)], CONTEXT)).toBeUndefined();
    expect(planAttachment(plugged('ready'), target, [owned(true)], CONTEXT)).toBe('ready');
    const foreign = podWith({ ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'x' }] }, true);
    expect(planAttachment(plugged('ready'), target, [foreign], CONTEXT)).toMatchObject({ verb: 'create' });
  });

  it('without such a volume waits for nothing', () => {
    expect(planAttachment(vmiWith({}), target, [], CONTEXT)).toBe('ready');
  });
});
