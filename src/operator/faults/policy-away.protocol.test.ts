import { expect, it } from 'vitest';
import { makeSpec } from '../../../test/operator/guest.ts';
import { at, createRealCast } from '../../../test/operator/real-objects.ts';
import { useRealStage } from '../../../test/operator/real-stage.ts';
import { listSwitchPorts } from '../../../test/operator/sentinel.ts';
import { until } from '../../../test/ovsdb/server.ts';
import { KINDS } from '../../api/group.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { KubeObject } from '../../kube/index.ts';

/** A real API server that has none of the chart's policies, as after somebody deleted them: everything may be written. */
const stage = useRealStage();
const { resource } = stage;
const cast = createRealCast(stage);
const IP = '10.16.0.50';
const PORT = 'db.default.vm';

const listRows = () => listSwitchPorts(stage).filter(({ name }) => /^(vm|vmi|pod)\//.test(name));
const findRow = (name: string) => listRows().find((row) => row.name === name);
const getPort = () => resource<LogicalPort>(KINDS.logicalPort).get(at(PORT));
const listLaunchers = async () => ((await getPort()).spec.attachments ?? []).map(({ podName }) => podName);

it('F48 without any policy a VM starts with its address, and who forges its launcher or its port gets nothing of it', async () => {
  stage.start();
  const spec = makeSpec({ default: undefined });
  const annotations = { 'mooring.dev/nics': JSON.stringify({ default: { ips: [IP] } }) };
  await cast.makeVm('db', { metadata: { annotations }, spec });
  await cast.makeVmi('db', spec);
  await cast.makeLauncher('l1', 'db');
  await cast.patchVmi('db', { phase: 'Running', nodeName: 'n1' });
  const row = await until('the guest’s row', () => {
    const found = findRow('vm/a/db/default');
    return found?.chassis === 'n1' ? found : undefined;
  });
  expect(row.addresses.join()).toContain(IP);

  const { metadata } = await resource(KINDS.vmi).get(at('db'));
  const owner = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstance', name: 'db', uid: metadata?.uid ?? '' };
  const forged = await cast.makePod(
    'forged',
    {
      labels: { 'kubevirt.io': 'virt-launcher', 'kubevirt.io/migrationJobUID': 'x', 'vm.kubevirt.io/name': 'db' },
      annotations: { 'kubevirt.io/domain': 'db', 'kubevirt.io/migrationJobName': 'x', 'mooring.dev/adopt': 'true' },
      ownerReferences: [{ ...owner, controller: true }],
    },
    'n2',
  );
  const attachment = { podName: 'forged', podUID: forged.metadata?.uid, node: 'n2', interface: 'eth0', role: 'Source' };
  await resource(KINDS.logicalPort).patch(at(PORT), { spec: { attachments: [attachment] } });
  await resource(KINDS.logicalPort).create({
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'LogicalPort',
    metadata: at('ghost.default.vm'),
    spec: {
      owner: { kind: 'VirtualMachine', name: 'ghost', uid: 'made-up' },
      ...{ nic: 'default', subnet: 'default', ips: [IP], mac: '02:00:00:00:00:09' },
    },
  } as KubeObject);
  await until('the launcher that KubeVirt knows, alone', async () => (await listLaunchers()).join() === 'l1');
  await cast.makePod('marker');
  await until('a pod that came later', () => findRow('pod/a/marker/eth0'));

  expect(await listLaunchers()).toEqual(['l1']);
  expect(findRow('vm/a/db/default')).toEqual(row);
  const isHis = ({ addresses }: { addresses: readonly string[] }) => addresses.join(' ').split(' ').includes(IP);
  expect(listRows().filter(isHis)).toEqual([row]);
}, 120_000);
