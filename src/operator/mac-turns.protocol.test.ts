import { describe, expect, it } from 'vitest';
import { NONE } from '../../test/operator/guest.ts';
import { until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import type { KubeObject } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';

const { stage, cast } = useStage();

const MAC = '02:00:00:00:00:77';
const ASKS = { 'ovn.kubernetes.io/mac_address': MAC };
const lspOf = (name: string) => `vm/a/${name}/default`;
const portOf = (name: string) => stage.findPort(`a/${name}.default.vm`);
const getCondition = (name: string, type: string) =>
  portOf(name)?.status?.conditions?.find((condition) => condition.type === type);
const whenRow = (name: string, chassis?: string) =>
  until(`${name} in OVN on ${chassis ?? 'any'}`, async () => {
    const row = (await stage.listLsps()).get(lspOf(name));
    return chassis === undefined || row?.chassis === chassis ? row : undefined;
  });
const whenNoRow = (name: string) => until(`${name} not in OVN`, async () => !(await stage.listLsps()).has(lspOf(name)));
const whenAllocated = (name: string) =>
  eventually(`${name} has an address`, () => (portOf(name)?.spec.ips.length ?? 0) > 0);
const whenWaiting = (name: string) => eventually(`${name} waits`, () => portOf(name)?.status?.phase === 'Conflict');
const countRows = async () =>
  [...(await stage.listLsps()).values()].filter((row) => row.addresses.includes(MAC)).length;

/** A VM that asks for the MAC, stopped. */
async function make(name: string) {
  const vm = cast.vm(name, { annotations: ASKS });
  await whenAllocated(name);
  expect(portOf(name)?.spec.mac).toBe(MAC);
  return vm;
}

/** KubeVirt's part of a start. */
function start(name: string, vm: KubeObject, node = 'n1') {
  const vmi = cast.vmi(name, vm);
  cast.launcher(`${name}-l`, vmi, { node });
  cast.setStatus('vmis', `a/${name}`, { phase: 'Running', nodeName: node });
}

function stop(name: string) {
  cast.remove('pods', `a/${name}-l`);
  cast.remove('vmis', `a/${name}`);
}

describe('a MAC that two VMs of a namespace ask for', () => {
  it('is in OVN for the one that runs; the second to start is told, and has it when the first is stopped', async () => {
    await stage.start();
    const one = await make('one');
    await whenRow('one', NONE);
    const two = await make('two');
    expect(portOf('two')?.spec.ips).not.toEqual(portOf('one')?.spec.ips);
    await whenNoRow('one');
    start('one', one);
    const { addresses } = await whenRow('one', 'n1');
    start('two', two, 'n2');
    await whenWaiting('two');
    for (const type of ['Allocated', 'Programmed']) {
      expect(getCondition('two', type)).toMatchObject({ status: 'False', reason: 'AddressConflict' });
    }
    expect(getCondition('two', 'Allocated')?.message).toContain(`MAC ${MAC} is in use by LogicalPort a/one.default.vm`);
    await eventually('the event', () => stage.events().includes('VirtualMachine/two AddressConflict'));
    expect(await whenRow('one', 'n1')).toMatchObject({ addresses });
    expect(await countRows()).toBe(1);
    stop('one');
    await whenRow('two', 'n2');
    expect(await countRows()).toBe(1);
    await eventually('two is well', () => getCondition('two', 'Allocated')?.status === 'True');
    start('one', one, 'n3');
    await whenWaiting('one');
    expect(await countRows()).toBe(1);
  });

  it('stays with the one that runs when another operator leads', async () => {
    const first = await stage.start();
    const one = await make('one');
    const two = await make('two');
    start('two', two);
    await whenRow('two', 'n1');
    start('one', one, 'n2');
    await whenWaiting('one');
    await first.stop();
    await stage.start();
    // A later machine has its row, so all of them had a turn of the new leader.
    cast.vm('later');
    await whenRow('later');
    await whenRow('two', 'n1');
    expect((await stage.listLsps()).has(lspOf('one'))).toBe(false);
    stop('two');
    await whenRow('one', 'n2');
    await whenNoRow('two');
  });

  it('is free for the other when the one that runs is deleted', async () => {
    await stage.start();
    const one = await make('one');
    const two = await make('two');
    start('one', one);
    await whenRow('one', 'n1');
    start('two', two);
    await whenWaiting('two');
    cast.remove('vms', 'a/one');
    stop('one');
    await whenRow('two', 'n1');
    await eventually('the release', () => portOf('one') === undefined);
  });

  it('is given to a stopped VM that asks for it later, with the address that it has', async () => {
    await stage.start();
    const one = await make('one');
    start('one', one);
    await whenRow('one', 'n1');
    const two = cast.vm('two');
    await whenRow('two', NONE);
    const { ips } = portOf('two')?.spec ?? {};
    cast.patch('vms', 'a/two', { spec: { template: { metadata: { annotations: ASKS } } } });
    await eventually('the MAC', () => portOf('two')?.spec.mac === MAC);
    expect(portOf('two')?.spec.ips).toEqual(ips);
    await whenNoRow('two');
    start('two', two);
    await whenWaiting('two');
    expect(await countRows()).toBe(1);
  });

  it('goes along in a migration of the one that runs, and comes back alone', async () => {
    await stage.start();
    const one = await make('one');
    await make('two');
    start('one', one);
    const before = await whenRow('one', 'n1');
    const job = cast.vmim('m', 'one').metadata.uid ?? '';
    const vmi = stage.api.storage.list('kubevirt.io/v1/virtualmachineinstances')[0];
    if (vmi === undefined) throw new Error('no VMI');
    cast.launcher('one-t', vmi, { node: 'n2', job });
    expect((await whenRow('one', 'n1,n2')).addresses).toBe(before.addresses);
    expect(await countRows()).toBe(1);
  });
});

describe('a MAC that nobody shares', () => {
  const refused = async (name: string) => {
    await eventually('the event', () => stage.events().some((event) => event === `${name} AddressInUse`));
  };

  it("stays a stopped VM's own for pods", async () => {
    await stage.start();
    await make('one');
    cast.pod('p1', { annotations: ASKS });
    await refused('Pod/p1');
    expect(stage.findPort('a/p1.eth0.pod')?.spec.mac).toBe('');
    await whenRow('one', NONE);
  });

  it('is that of another NIC of the same VM', async () => {
    await stage.start();
    cast.nad('net', { type: 'mooring', provider: 'net.a.ovn' });
    cast.subnet('net', { cidrBlock: '172.17.0.0/24', provider: 'net.a.ovn' });
    const nics = ['one', 'two'];
    const spec = {
      domain: { devices: { interfaces: nics.map((name) => ({ name, bridge: {}, macAddress: MAC })) } },
      networks: nics.map((name) => ({ name, multus: { networkName: 'net' } })),
    };
    cast.vm('db', { spec });
    await refused('VirtualMachine/db');
  });

  it('is that of a VM in another namespace, though it is stopped', async () => {
    await stage.start();
    await make('one');
    const vm = { metadata: { name: 'thief', namespace: 'b' }, spec: { template: { metadata: { annotations: ASKS } } } };
    stage.api.storage.create('kubevirt.io/v1/virtualmachines', vm as KubeObject);
    await refused('VirtualMachine/thief');
    expect(stage.findPort('b/thief.default.vm')?.spec.mac).toBe('');
    await whenRow('one', NONE);
  });
});
