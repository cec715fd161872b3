import { beforeAll, expect, it } from 'vitest';
import { annotate, makeSpec, NONE } from '../../../test/operator/guest.ts';
import { at, createRealCast } from '../../../test/operator/real-objects.ts';
import { useRealStage } from '../../../test/operator/real-stage.ts';
import { listSwitchPorts } from '../../../test/operator/sentinel.ts';
import { until } from '../../../test/ovsdb/server.ts';
import { KINDS } from '../../api/group.ts';
import { formatLogicalPortName } from '../../api/names.ts';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import type { KubeObject } from '../../kube/index.ts';

const RED = 'vm/a/db/side';
const BLUE = 'vm/a/db/side/blue';

const stage = useRealStage({ kinds: [KINDS.nad] });
const { resource } = stage;
const cast = createRealCast(stage);
const patchVmi = (status: object) => cast.patchVmi('db', status);
beforeAll(() => void stage.start());

async function makeNetwork(name: string, cidrBlock: string): Promise<void> {
  const config = JSON.stringify({ type: 'mooring', provider: `${name}.a.ovn` });
  await resource(KINDS.nad).create({ metadata: at(name), spec: { config } } as KubeObject);
  const spec = { cidrBlock, provider: `${name}.a.ovn` };
  await resource(KINDS.subnet).create({ metadata: { name }, spec } as KubeObject);
  await until(`${name} ready`, async () => {
    const subnet = await resource<Subnet>(KINDS.subnet).get({ name });
    return subnet.status?.conditions?.[0]?.reason === 'Ready';
  });
}

const SECOND = formatLogicalPortName({
  ownerKind: 'VirtualMachine',
  namespace: 'a',
  owner: 'db',
  nic: 'side',
  madeFor: 'blue',
});
const findPort = (name: string) => resource<LogicalPort>(KINDS.logicalPort).find(at(name));
const listRows = () =>
  new Map(listSwitchPorts(stage).flatMap(({ name, chassis }) => (name.startsWith('vm/') ? [[name, chassis]] : [])));
const whenRows = (rows: Record<string, string>) =>
  until(JSON.stringify(rows), async () => {
    const present = listRows();
    return present.size === Object.keys(rows).length && Object.entries(rows).every(([k, v]) => present.get(k) === v);
  });

it('K6 on a real API server: the new port beside the old one, a roll-back, and the move', async () => {
  await makeNetwork('red', '172.17.0.0/24');
  await makeNetwork('blue', '172.17.1.0/24');
  const spec = makeSpec({ side: 'red' });
  await cast.makeVm('db', { spec });
  await cast.makeVmi('db', spec);
  await cast.makeLauncher('l1', 'db', { annotations: annotate({ side: 'red' }) });
  await patchVmi({ phase: 'Running', nodeName: 'n1' });
  await whenRows({ [RED]: 'n1' });

  const asked = makeSpec({ side: 'blue' });
  await resource(KINDS.vm).patch(at('db'), { spec: { template: { spec: asked } } });
  await resource(KINDS.vmi).patch(at('db'), { spec: asked });
  await whenRows({ [RED]: 'n1', [BLUE]: NONE });
  const waiting = await findPort(SECOND);
  expect(waiting?.spec).toMatchObject({ madeFor: 'blue', subnet: 'blue', nad: 'a/blue', nic: 'side' });

  const move = async (name: string, target: string, to: string) => {
    const vmim = await resource(KINDS.vmim).create({ metadata: at(name), spec: { vmiName: 'db' } } as KubeObject);
    const uid = vmim.metadata?.uid ?? '';
    await cast.makeLauncher(target, 'db', { node: to, job: uid, annotations: annotate({ side: 'blue' }) });
    await whenRows({ [RED]: 'n1', [BLUE]: to });
    const fresh = { targetNodeDomainReadyTimestamp: null, completed: null, failed: null };
    await patchVmi({ migrationState: { ...fresh, migrationUid: uid, sourceNode: 'n1', targetNode: to } });
  };
  await move('m1', 't1', 'n2');
  await patchVmi({ migrationState: { failed: true } });
  await resource(KINDS.vmim).patchStatus(at('m1'), { status: { phase: 'Failed' } });
  await resource(KINDS.pod).delete(at('t1'));
  await whenRows({ [RED]: 'n1', [BLUE]: NONE });

  await move('m2', 't2', 'n3');
  const ready = { targetNodeDomainReadyTimestamp: '2026-11-21T10:48:37Z', completed: true };
  await patchVmi({ nodeName: 'n3', migrationState: ready });
  await resource(KINDS.vmim).patchStatus(at('m2'), { status: { phase: 'Succeeded' } });
  await whenRows({ [RED]: NONE, [BLUE]: 'n3' });
  await resource(KINDS.pod).patchStatus(at('l1'), { status: { phase: 'Succeeded' } });
  await whenRows({ [BLUE]: 'n3' });
  await until('the release', async () => (await findPort('db.side.vm')) === undefined);
  expect((await findPort(SECOND))?.spec.ips).toEqual(waiting?.spec.ips);

  const change = resource(KINDS.logicalPort).patch(at(SECOND), { spec: { madeFor: 'red' } });
  await expect(change).rejects.toThrow('what a port was made for is fixed');
  await expect(resource(KINDS.logicalPort).patch(at(SECOND), { spec: { madeFor: null } })).rejects.toThrow('is fixed');
}, 120_000);
