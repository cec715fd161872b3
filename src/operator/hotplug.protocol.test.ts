import { describe, expect, it } from 'vitest';
import { annotate, NONE } from '../../test/operator/guest.ts';
import { until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import { eventually } from '../kube/testing/eventually.ts';

const { stage, guest } = useStage();

const ONE = { one: 'red' };
const BOTH = { one: 'red', two: 'red' };
const [FIRST, SECOND] = ['vm/a/db/one', 'vm/a/db/two'];
const whenGone = (nic: string) => eventually(`the release of ${nic}`, () => guest.findPort(nic) === undefined);

describe('a NIC that is plugged into a running VM', () => {
  it('K5 by migration: its port is there before the target asks, and the source has no part in it', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    const { vmi } = await guest.run(ONE);
    const before = await guest.whenOn(FIRST, 'n1');
    guest.ask(BOTH);
    const plugged = await guest.whenOn(SECOND, NONE);
    expect(await guest.whenOn(FIRST, 'n1')).toEqual(before);

    const move = guest.begin(vmi, BOTH, { from: 'n1', to: 'n2' });
    await guest.whenOn(FIRST, 'n1,n2');
    expect((await guest.whenOn(SECOND, 'n2')).addresses).toBe(plugged.addresses);
    await eventually('the target', () => guest.findPort('two')?.spec.attachments?.length === 1);
    expect(guest.findPort('two')?.spec.attachments).toMatchObject([{ podName: move.target, role: 'Target' }]);
    guest.succeed(move, 'l1');
    await guest.whenOn(SECOND, 'n2');
    expect((await guest.whenOn(FIRST, 'n2')).addresses).toBe(before.addresses);
  });

  it('K5 by migration that fails: the port waits, the other NIC never knew', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    const { vmi } = await guest.run(ONE);
    guest.ask(BOTH);
    const plugged = await guest.whenOn(SECOND, NONE);
    const move = guest.begin(vmi, BOTH, { from: 'n1', to: 'n2' });
    await guest.whenOn(SECOND, 'n2');
    guest.fail(move);
    expect((await guest.whenOn(SECOND, NONE)).addresses).toBe(plugged.addresses);
    await guest.whenOn(FIRST, 'n1');
  });

  it('K5 in place: bound from when its launcher names it', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    await guest.run(ONE);
    const before = await guest.whenOn(FIRST, 'n1');
    guest.ask(BOTH);
    const plugged = await guest.whenOn(SECOND, NONE);
    guest.cast.patch('pods', 'a/l1', { metadata: { annotations: annotate(BOTH) } });
    expect((await guest.whenOn(SECOND, 'n1')).addresses).toBe(plugged.addresses);
    expect(await guest.whenOn(FIRST, 'n1')).toEqual(before);
  });

  it('K5 as the first one on a network: a source without any annotation has no part in it', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    const { vmi } = await guest.run({ default: undefined }, {}, {} as ReturnType<typeof annotate>);
    guest.ask({ default: undefined, two: 'red' });
    guest.begin(vmi, { two: 'red' }, { from: 'n1', to: 'n2' });
    await guest.whenOn('vm/a/db/default', 'n1,n2');
    await guest.whenOn(SECOND, 'n2');
  });

  it('K5 and taken out again before any launcher had it: its address is free', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    await guest.run(ONE);
    guest.ask(BOTH);
    await guest.whenOn(SECOND, NONE);
    guest.ask(ONE);
    await whenGone('two');
    await guest.whenOn(FIRST, 'n1');
  });
});

describe('a NIC that is taken out of a running VM', () => {
  it('K5 in place: its port goes when its launcher has let go of it', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    await guest.run(BOTH);
    const before = await guest.whenOn(FIRST, 'n1');
    guest.ask(ONE);
    await guest.settle('p1');
    await guest.whenOn(SECOND, 'n1');
    guest.cast.patch('pods', 'a/l1', { metadata: { annotations: annotate(ONE) } });
    await whenGone('two');
    expect(await guest.whenOn(FIRST, 'n1')).toEqual(before);
  });

  it('K5 by migration: its port is the source’s until that has ended', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    const { vmi } = await guest.run(BOTH);
    guest.ask(ONE);
    const move = guest.begin(vmi, ONE, { from: 'n1', to: 'n2' });
    await guest.whenOn(FIRST, 'n1,n2');
    await guest.whenOn(SECOND, 'n1');
    guest.activate(move);
    await guest.whenOn(SECOND, NONE);
    guest.succeed(move, 'l1');
    await whenGone('two');
    await guest.whenOn(FIRST, 'n2');
  });

  it('K5 by migration that fails: the source has it as before', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    const { vmi } = await guest.run(BOTH);
    const before = await guest.whenOn(SECOND, 'n1');
    guest.ask(ONE);
    const move = guest.begin(vmi, ONE, { from: 'n1', to: 'n2' });
    await guest.whenOn(FIRST, 'n1,n2');
    guest.activate(move);
    await guest.whenOn(SECOND, NONE);
    guest.fail(move);
    expect(await guest.whenOn(SECOND, 'n1')).toEqual(before);
  });
});

describe('lives around a change of network', () => {
  const BLUE = 'vm/a/db/side/blue';

  it('K2 K6 the VM is deleted as an orphan in between, and a new one adopts both ports', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    await guest.run({ side: 'red' });
    guest.ask({ side: 'blue' });
    const before = [await guest.whenOn('vm/a/db/side', 'n1'), await guest.whenOn(BLUE, NONE)];
    guest.cast.remove('vms', 'a/db');
    guest.cast.patch('vmis', 'a/db', { metadata: { ownerReferences: null } });
    await guest.settle('p1');
    expect(await guest.listLsps()).toEqual(['vm/a/db/side', BLUE]);
    const spec = { networks: [{ name: 'side', multus: { networkName: 'blue' } }] };
    const again = guest.cast.vm('db', { spec: { domain: { devices: { interfaces: [{ name: 'side' }] } }, ...spec } });
    const owner = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name: 'db', controller: true };
    guest.cast.patch('vmis', 'a/db', { metadata: { ownerReferences: [{ ...owner, uid: again.metadata?.uid }] } });
    for (const madeFor of [undefined, 'blue']) {
      await eventually('the adoption', () => guest.findPort('side', madeFor)?.spec.owner.uid === again.metadata?.uid);
    }
    expect([await guest.whenOn('vm/a/db/side', 'n1'), await guest.whenOn(BLUE, NONE)]).toEqual(before);
  });

  it('K6 the VM is deleted in the middle of the migration: each port stays until its launcher is gone', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    const { vmi } = await guest.run({ side: 'red' });
    guest.ask({ side: 'blue' });
    const move = guest.begin(vmi, { side: 'blue' }, { from: 'n1', to: 'n2' });
    await guest.whenOn(BLUE, 'n2');
    await eventually('the target', () => guest.findPort('side', 'blue')?.spec.attachments?.length === 1);
    for (const [collection, name] of [
      ['vms', 'db'],
      ['vmims', move.name],
      ['vmis', 'db'],
    ] as const) {
      guest.cast.remove(collection, `a/${name}`);
    }
    await guest.settle('p1');
    expect(await guest.listLsps()).toEqual(['vm/a/db/side', BLUE]);
    guest.cast.remove('pods', 'a/l1');
    guest.cast.remove('pods', `a/${move.target}`);
    await until('nothing left', async () => (await guest.listLsps()).length === 0);
    await eventually('the release', () => stage.listPorts().every(({ spec }) => spec.owner.kind === 'Pod'));
  });

  it('K6 a claim of the old network speaks for its address, not for the new one', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    stage.api.storage.create('k8s.cni.cncf.io/v1alpha1/ipamclaims', {
      metadata: { name: 'c1', namespace: 'a' },
      spec: { network: 'red', interface: 'side' },
    } as never);
    const { vmi } = await guest.run({ side: 'red' }, {}, annotate({ side: 'red' }, { side: 'c1' }));
    await eventually('the claim', () => guest.findPort('side')?.spec.ipamClaim === 'c1');
    const [address] = guest.findPort('side')?.spec.ips ?? [];
    guest.ask({ side: 'blue' });
    await guest.whenOn(BLUE, NONE);
    expect(guest.findPort('side', 'blue')?.spec.ipamClaim).toBeUndefined();
    const move = guest.begin(vmi, { side: 'blue' }, { from: 'n1', to: 'n2' });
    await guest.whenOn(BLUE, 'n2');
    guest.succeed(move, 'l1');
    await eventually('its address is kept', () => guest.findPort('side')?.status?.phase === 'Released');
    expect(guest.findPort('side')?.spec.ips).toEqual([address]);
    expect(await guest.listLsps()).toEqual([BLUE]);
    guest.cast.remove('ipamClaims', 'a/c1');
    await whenGone('side');
  });
});
