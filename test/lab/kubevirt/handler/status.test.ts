import { describe, expect, it } from 'vitest';
import { loadFlow } from '../flows.ts';
import type { Vmi } from '../objects.ts';
import type { NicPlan } from './record.ts';
import { deriveMigratable, reportInterfaces, reportMoved, reportRunning, withoutTargetLabel } from './status.ts';

const steps = loadFlow('migrate-success');
function vmiAt(name: string): Vmi {
  const found = steps.find((step) => step.step === name)?.objects.find((one) => one.kind === 'VirtualMachineInstance');
  if (found === undefined) throw new Error(`no VMI at ${name}`);
  return structuredClone(found) as Vmi;
}

function nic(name: string, fields: Partial<NicPlan>): NicPlan {
  return {
    ...{ name, binding: 'bridge', podInterface: 'eth0', primary: true, index: 0, mtu: 1400, routes: [], ports: [] },
    ...{ mac: '', podMac: '', ipv4: [], ipv6: [] },
    ...fields,
  };
}

const NICS = [
  nic('default', { mac: '0a:58:0a:f4:5c:31', ipv4: ['10.244.92.49/16'], ipv6: ['fd00::1/64'] }),
  nic('biz', { mac: '02:00:00:aa:bb:02', podInterface: 'pod9bdd85331e7', primary: false, index: 1 }),
];

describe('what the handler reports', () => {
  it('of a guest that runs equals the record', () => {
    const before = vmiAt('pod-ready');
    const recorded = vmiAt('running').status ?? {};
    const migratable = deriveMigratable(before, {});
    const { status = {} } = reportRunning(before, NICS, { now: '2026-11-21T10:48:31Z', migratable });
    for (const field of ['phase', 'interfaces', 'machine', 'migrationMethod', 'selinuxContext'] as const) {
      expect(status[field]).toEqual(recorded[field]);
    }
    const handlers = (all: Vmi['status']) => all?.conditions?.filter((one) => one.type.endsWith('LiveMigratable'));
    expect(handlers(status)).toEqual(handlers(recorded));
    expect(status.phaseTransitionTimestamps?.at(-1)?.phase).toBe('Running');
  });

  it('does not change a VMI that says it already', () => {
    const once = reportRunning(vmiAt('pod-ready'), NICS, {
      now: 'a',
      migratable: deriveMigratable(vmiAt('pod-ready'), {}),
    });
    expect(reportRunning(once, NICS, { now: 'b', migratable: deriveMigratable(once, {}) })).toEqual(once);
  });

  it('of a guest that has moved equals the record', () => {
    const recorded = vmiAt('ownership-moved');
    const moved = reportMoved(vmiAt('domain-ready'), 'node2', recorded.status?.migrationState?.endTimestamp ?? '');
    expect(moved.status?.migrationState).toEqual(recorded.status?.migrationState);
    expect(moved.status?.nodeName).toBe('node2');
    expect(moved.metadata.labels).toEqual(recorded.metadata.labels);
  });

  it('drops the label of the target and no other', () => {
    expect(withoutTargetLabel(vmiAt('completed')).metadata.labels).toEqual({ 'kubevirt.io/nodeName': 'node2' });
  });

  it('lists IPv6 for masquerade only', () => {
    const [first] = NICS;
    if (first === undefined) throw new Error('no NIC');
    const [bridge] = reportInterfaces([], [first]);
    const [masquerade] = reportInterfaces([], [{ ...first, binding: 'masquerade' }]);
    expect(bridge?.ipAddresses).toEqual(['10.244.92.49']);
    expect(masquerade?.ipAddresses).toEqual(['10.244.92.49', 'fd00::1']);
  });

  it('takes back an address that the pod has no more', () => {
    const known = [{ name: 'default', ipAddress: '10.0.0.1', ipAddresses: ['10.0.0.1'] }];
    const [reported] = reportInterfaces(known, [nic('default', {})]);
    expect(reported).not.toHaveProperty('ipAddress');
    expect(reported).not.toHaveProperty('ipAddresses');
  });
});

describe('live migratable', () => {
  const vmi = vmiAt('running');
  const { annotations: _, ...metadata } = vmi.metadata;
  const bare: Vmi = { ...vmi, metadata };
  const withNic = (fields: object): Vmi => {
    const spec = structuredClone(bare.spec);
    spec.domain.devices.interfaces = [{ name: 'default', ...fields }];
    return { ...bare, spec };
  };

  it.each([
    ['bridge with the annotation', vmi, 'True'],
    ['bridge without it', bare, 'False'],
    ['masquerade', withNic({ masquerade: {} }), 'True'],
    ['a plugin that migrates', withNic({ binding: { name: 'good' } }), 'True'],
    ['a plugin that does not', withNic({ binding: { name: 'bad' } }), 'False'],
  ])('%s on the pod network', (_, given, expected) => {
    expect(deriveMigratable(given, { good: { migration: {} }, bad: {} }).status).toBe(expected);
  });

  it('judges no other network', () => {
    const spec = structuredClone(bare.spec);
    spec.networks = spec.networks?.filter((network) => network.pod === undefined) ?? [];
    expect(deriveMigratable({ ...bare, spec }, {}).status).toBe('True');
  });

  it('of a guest that its user has paused equals the record, and takes it back', () => {
    const flow = loadFlow('paused-vm');
    const at = (name: string) => flow.find((step) => step.step === name)?.objects ?? [];
    const find = (name: string) => at(name).find((one) => one.kind === 'VirtualMachineInstance') as Vmi;
    const [before, recorded] = [find('running'), find('paused')];
    const condition = (one: Vmi) => one.status?.conditions?.find(({ type }) => type === 'Paused');
    const now = condition(recorded)?.lastProbeTime ?? '';
    const options = { now, migratable: deriveMigratable(before, {}) };
    const paused = reportRunning(before, [], { ...options, paused: true });
    expect(condition(paused)).toEqual(condition(recorded));
    expect(reportRunning(paused, [], { ...options, now: 'later', paused: true })).toEqual(paused);
    expect(condition(reportRunning(paused, [], options))).toBeUndefined();
  });
});
