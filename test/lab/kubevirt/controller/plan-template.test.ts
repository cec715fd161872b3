import { describe, expect, it } from 'vitest';
import type { Interface, Network, Vm, Vmi, VmiInterface } from '../objects.ts';
import { vmOwner } from './defaults.ts';
import type { Context, Observed, Write } from './plan.ts';
import { planLiveUpdate } from './plan-template.ts';
import { deriveSettings } from './settings.ts';

const NETWORK = (name: string, networkName = name): Network => ({ name, multus: { networkName } });
const POD: Network = { name: 'default', pod: {} };
const FIRST: Interface = { name: 'default', bridge: {} };
const BIZ: Interface = { name: 'biz', bridge: {}, macAddress: '02:00:00:00:00:02' };

type Nics = { interfaces: Interface[]; networks: Network[] };
const specOf = ({ interfaces, networks }: Nics) => ({ domain: { devices: { interfaces } }, networks });

function observe(template: Nics, running: Nics | undefined, reported: VmiInterface[] = []): Observed {
  const metadata = { name: 'a', namespace: 'n', uid: 'vm', finalizers: [] };
  const vm = { kind: 'VirtualMachine', metadata, spec: { template: { spec: specOf(template) } }, status: {} } as Vm;
  const owned = { name: 'a', namespace: 'n', uid: 'vmi', ownerReferences: [vmOwner(vm)] };
  const vmi: Vmi | undefined = running && {
    metadata: owned,
    spec: specOf(running),
    status: { phase: 'Running', interfaces: reported },
  };
  return { vm, vmi, pods: [], migrations: [], nodes: [], nads: new Set(), attachments: [], traffic: [] };
}

function plan(observed: Observed, gates: string[] = []): Write | undefined {
  const configuration = { developerConfiguration: { featureGates: gates } };
  const settings = deriveSettings({ metadata: {}, spec: { configuration } });
  const context: Context = { now: '2026-01-01T00:00:00Z', image: 'x', qemuTimeout: 1, plugins: {}, settings };
  return planLiveUpdate(observed, context);
}

const plain: Nics = { interfaces: [FIRST, BIZ], networks: [POD, NETWORK('biz')] };
const reported = [{ name: 'default' }, { name: 'biz', infoSource: 'domain, multus-status' }];

describe('a template that changes under a running VM', () => {
  it('that equals what runs asks for nothing', () => {
    expect(plan(observe(plain, plain, reported))).toBeUndefined();
  });

  it('with another NAD changes the VMI when the gate is open, and waits for a restart when it is not', () => {
    const changed = { ...plain, networks: [POD, NETWORK('biz', 'other')] };
    expect(plan(observe(changed, plain, reported), ['LiveUpdateNADRef'])).toMatchObject({
      kind: 'VirtualMachineInstance',
      object: { spec: { networks: [POD, NETWORK('biz', 'other')] } },
    });
    expect(plan(observe(changed, plain, reported))).toMatchObject({
      kind: 'VirtualMachine',
      verb: 'status',
      object: { status: { conditions: [{ type: 'RestartRequired', status: 'True' }] } },
    });
  });

  it('with a new NIC of another binding than bridge does not plug it', () => {
    const managed = { name: 'tap', binding: { name: 'managedtap' } };
    const more = { interfaces: [...plain.interfaces, managed], networks: [...plain.networks, NETWORK('tap')] };
    expect(plan(observe(more, plain, reported))).toBeUndefined();
    const bridged = { ...more, interfaces: [...plain.interfaces, { name: 'tap', bridge: {} }] };
    expect(plan(observe(bridged, plain, reported))).toMatchObject({ object: { spec: specOf(bridged) } });
  });

  it('does not take back an unplugging, and drops the NIC from VMI and VM once it is not reported', () => {
    const absent = { ...plain, interfaces: [FIRST, { ...BIZ, state: 'absent' }] };
    expect(plan(observe(plain, absent, reported))).toBeUndefined();
    const rest = specOf({ interfaces: [FIRST], networks: [POD] });
    expect(plan(observe(absent, absent, [{ name: 'default' }]))).toMatchObject({
      kind: 'VirtualMachineInstance',
      object: { spec: rest },
    });
    const gone = plan(observe(absent, { interfaces: [FIRST], networks: [POD] }, [{ name: 'default' }]));
    expect(gone).toMatchObject({ kind: 'VirtualMachine', object: { spec: { template: { spec: rest } } } });
  });

  it('of a stopped VM loses what is absent', () => {
    const absent = { ...plain, interfaces: [FIRST, { ...BIZ, state: 'absent' }] };
    expect(plan(observe(absent, undefined))).toMatchObject({
      object: { spec: { template: { spec: specOf({ interfaces: [FIRST], networks: [POD] }) } } },
    });
  });
});
