import { describe, expect, it } from 'vitest';
import type { KubeVirt } from '../objects.ts';
import { type DaemonSet, formatDaemonSet, NETWORKS, planDaemonSet } from './daemon-set.ts';

const daemonSet = (annotations?: Record<string, string>): DaemonSet => ({
  metadata: {},
  spec: { template: { metadata: annotations === undefined ? {} : { annotations } } },
});
const kubevirt = (network?: string): KubeVirt => ({
  metadata: {},
  spec: { configuration: { migrations: network === undefined ? {} : { network } } },
});
const patch = (value: string | null) => ({ spec: { template: { metadata: { annotations: { [NETWORKS]: value } } } } });

describe('the pods of virt-handler', () => {
  it.each<[string, KubeVirt | undefined, DaemonSet, object | undefined]>([
    ['get the migration network', kubevirt('mig'), daemonSet(), patch('mig@migration0')],
    ['get another one', kubevirt('new'), daemonSet({ [NETWORKS]: 'mig@migration0' }), patch('new@migration0')],
    ['lose it with the field', kubevirt(), daemonSet({ [NETWORKS]: 'mig@migration0' }), patch(null)],
    ['lose it when the field is empty', kubevirt(''), daemonSet({ [NETWORKS]: 'mig@migration0' }), patch(null)],
    ['lose it with the CR', undefined, daemonSet({ [NETWORKS]: 'mig@migration0' }), patch(null)],
    ['are not rolled for nothing', kubevirt('mig'), daemonSet({ [NETWORKS]: 'mig@migration0' }), undefined],
    ['are not rolled for another annotation', kubevirt(), daemonSet({ other: 'x' }), undefined],
  ])('%s', (_, cr, known, expected) => expect(planDaemonSet(cr, known)).toEqual(expected));

  it('are found by the label and have a network of their own', () => {
    const { spec } = formatDaemonSet() as { spec?: { template?: { metadata?: object; spec?: object } } };
    expect(spec?.template?.metadata).toEqual({ labels: { 'kubevirt.io': 'virt-handler' } });
    expect(spec?.template?.spec).not.toHaveProperty('hostNetwork');
  });
});
