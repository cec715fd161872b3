import { describe, expect, it } from 'vitest';
import { formatPodInterface } from '../names.ts';
import { type Condition, type Interface, NETWORK_STATUS, type Pod, type Vmi, type VmiInterface } from '../objects.ts';
import { NETWORKS } from './annotations.ts';
import type { Context } from './plan.ts';
import { planNetworks, refreshInterfaces, withMigrationRequired } from './plan-nics.ts';
import { deriveSettings } from './settings.ts';

const NOW = '2026-01-01T00:10:00Z';
const settings = deriveSettings(undefined);
const CONTEXT: Context = { now: NOW, image: 'x', qemuTimeout: 1, plugins: {}, settings };
const element = (name: string, nad = name) => ({ name: nad, namespace: 'n', interface: formatPodInterface(name) });

/** A running VMI with a NIC on the pod network and `biz`, and what is added. */
function vmiWith(more: Interface[], reported: VmiInterface[], nad = 'biz', status: Vmi['status'] = {}): Vmi {
  const interfaces = [{ name: 'default', bridge: {} }, { name: 'biz', bridge: {} }, ...more];
  const added = more.map(({ name }) => ({ name, multus: { networkName: name } }));
  const networks = [{ name: 'default', pod: {} }, { name: 'biz', multus: { networkName: nad } }, ...added];
  const known = [{ name: 'default' }, { name: 'biz', infoSource: 'domain, multus-status' }, ...reported];
  return {
    metadata: { name: 'a', namespace: 'n', uid: 'vmi' },
    spec: { domain: { devices: { interfaces } }, networks },
    status: { phase: 'Running', interfaces: known, ...status },
  };
}

const podWith = (networks: object[], plugged: object[] = networks): Pod => ({
  metadata: {
    name: 'p',
    namespace: 'n',
    annotations: { [NETWORKS]: JSON.stringify(networks), [NETWORK_STATUS]: JSON.stringify(plugged) },
  },
  spec: {},
  status: { phase: 'Running' },
});

const HOT = { name: 'hot', bridge: {} };
const GONE = { ...HOT, state: 'absent' };
const pending = (since: string): Condition => ({
  type: 'MigrationRequired',
  status: 'False',
  lastTransitionTime: since,
});

describe('MigrationRequired', () => {
  const source = podWith([element('biz')]);
  const status = (vmi: Vmi, known: Condition[] = []) =>
    withMigrationRequired(known, vmi, source, CONTEXT).find(({ type }) => type === 'MigrationRequired')?.status;

  it.each([
    ['all is plugged', vmiWith([], []), undefined],
    ['a NIC is not plugged', vmiWith([HOT], []), 'False'],
    ['a NIC was plugged', vmiWith([HOT], [{ name: 'hot', infoSource: 'multus-status' }]), undefined],
    ['a NIC is still in the guest', vmiWith([GONE], [{ name: 'hot', infoSource: 'domain, multus-status' }]), undefined],
    [
      'a NIC is out of the guest and in the pod',
      vmiWith([GONE], [{ name: 'hot', infoSource: 'multus-status' }]),
      'False',
    ],
    ['a NIC is out of both', vmiWith([GONE], [{ name: 'hot' }]), undefined],
    ['a NIC has another NAD', vmiWith([], [], 'other'), 'True'],
    ['a NIC has a NAD of another namespace', vmiWith([], [], 'm/biz'), 'True'],
    ['its namespace is spelled out', vmiWith([], [], 'n/biz'), undefined],
  ])('when %s', (_, vmi, wanted) => {
    expect(status(vmi)).toBe(wanted);
  });

  it('becomes True when nothing has been plugged for 15 s, and stays so', () => {
    const vmi = vmiWith([HOT], []);
    expect(status(vmi, [pending('2026-01-01T00:09:46Z')])).toBe('False');
    expect(status(vmi, [pending('2026-01-01T00:09:45Z')])).toBe('True');
    expect(status(vmi, [{ ...pending(NOW), status: 'True' }])).toBe('True');
  });

  it('is left as it is while a migration brings what is asked for, and judged again when that has failed', () => {
    const state = { migrationUid: 'u', targetNode: 'x' };
    expect(status(vmiWith([], [], 'other', { migrationState: state }))).toBeUndefined();
    expect(status(vmiWith([], [], 'other', { migrationState: { ...state, failed: true } }))).toBe('True');
  });
});

describe('the networks of a live launcher', () => {
  it('are rewritten while a NIC waits, and not for another NAD alone', () => {
    const pod = podWith([element('biz')]);
    expect(planNetworks(vmiWith([], [], 'other'), pod, CONTEXT)).toBeUndefined();
    const write = planNetworks(vmiWith([HOT], []), pod, CONTEXT);
    const { annotations } = write?.verb === 'update' ? write.object.metadata : {};
    expect(JSON.parse(annotations?.[NETWORKS] ?? '')).toEqual([element('biz'), element('hot')]);
  });

  it('are left alone on a launcher that ends', () => {
    const pod = podWith([element('biz')]);
    expect(planNetworks(vmiWith([HOT], []), { ...pod, status: { phase: 'Succeeded' } }, CONTEXT)).toBeUndefined();
  });
});

describe('what Multus reports', () => {
  const sources = (vmi: Vmi, plugged: object[]) =>
    refreshInterfaces(vmi, podWith([], plugged), NETWORK_STATUS).map(({ name, infoSource }) => [name, infoSource]);

  it('comes into the status and goes out of it, and the pod network is not its business', () => {
    const primary = { name: 'x', interface: 'eth0', default: true };
    expect(sources(vmiWith([HOT], []), [primary, element('biz'), element('hot')])).toEqual([
      ['default', undefined],
      ['biz', 'domain, multus-status'],
      ['hot', 'multus-status'],
    ]);
    expect(sources(vmiWith([HOT], [{ name: 'hot', infoSource: 'multus-status' }]), [primary])).toEqual([
      ['default', undefined],
      ['biz', 'domain'],
      ['hot', undefined],
    ]);
  });

  it('in a damaged annotation is nothing', () => {
    const pod = { ...podWith([]), metadata: { annotations: { [NETWORK_STATUS]: '{"a":' } } };
    expect(refreshInterfaces(vmiWith([], []), pod, NETWORK_STATUS)[1]).toEqual({ name: 'biz', infoSource: 'domain' });
  });
});
