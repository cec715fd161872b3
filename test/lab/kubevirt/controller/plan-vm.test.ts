import { describe, expect, it } from 'vitest';
import type { Vm, Vmi } from '../objects.ts';
import { VM_FINALIZER, vmOwner } from './defaults.ts';
import type { Context, Observed } from './plan.ts';
import { planVm } from './plan-vm.ts';
import { deriveSettings } from './settings.ts';

const CONTEXT: Context = {
  now: '2026-01-01T00:00:00Z',
  image: 'x',
  qemuTimeout: 1,
  plugins: {},
  settings: deriveSettings(undefined),
};

function observe(finalizers: string[]): Observed {
  const metadata = { name: 'a', namespace: 'n', uid: 'vm', finalizers, deletionTimestamp: '2026-01-01T00:00:00Z' };
  const vm = { kind: 'VirtualMachine', metadata, spec: { runStrategy: 'Always' } } as unknown as Vm;
  const vmi = { metadata: { name: 'a', namespace: 'n', uid: 'vmi', ownerReferences: [vmOwner(vm)] } } as unknown as Vmi;
  return { vm, vmi, pods: [], migrations: [], nodes: [], nads: new Set(), attachments: [], traffic: [] };
}

describe('a VM that is being deleted', () => {
  it('takes its VMI along', () => {
    expect(planVm(observe([VM_FINALIZER]), CONTEXT)).toMatchObject({ verb: 'delete', uid: 'vmi' });
  });

  it('as an orphaning one leaves its VMI alone, though the garbage collector has not taken the owner off it yet', () => {
    const write = planVm(observe([VM_FINALIZER, 'orphan']), CONTEXT);
    expect(write).toMatchObject({ verb: 'update', object: { metadata: { finalizers: ['orphan'] } } });
  });
});
