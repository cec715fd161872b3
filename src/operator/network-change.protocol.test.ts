import { describe, expect, it } from 'vitest';
import { annotate, NONE } from '../../test/operator/guest.ts';
import { until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import { eventually } from '../kube/testing/eventually.ts';

const { stage, guest } = useStage();

const RED = 'vm/a/db/side';
const BLUE = 'vm/a/db/side/blue';
const whenOnly = (...names: string[]) =>
  until(`only ${names.join()}`, async () => (await guest.listLsps()).join() === names.join());
const findAllocated = (madeFor?: string) => guest.getCondition('Allocated', 'side', madeFor);

describe('another network for a NIC of a running VM', () => {
  it('K6 the new port is there before the migration, the old one goes only after the guest', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    const { vmi } = await guest.run({ side: 'red' });
    const before = await guest.whenOn(RED, 'n1');
    guest.ask({ side: 'blue' });
    const second = await guest.whenOn(BLUE, NONE);
    expect(second.addresses).toMatch(/ 172\.17\.1\.\d+$/);
    // The guest takes its MAC along.
    expect(second.addresses.split(' ')[0]).toBe(before.addresses.split(' ')[0]);
    await eventually('what is pending', () => findAllocated()?.reason === 'ChangePending');
    expect(findAllocated()?.message).toMatch(/172\.17\.0\.\d+; subnet blue on network a\/blue .* migration/);
    expect(await guest.whenOn(RED, 'n1')).toEqual(before);

    const move = guest.begin(vmi, { side: 'blue' }, { from: 'n1', to: 'n2' });
    await guest.whenOn(BLUE, 'n2');
    await eventually('the target', () => guest.findPort('side', 'blue')?.spec.attachments?.[0]?.role === 'Target');
    expect(await guest.whenOn(RED, 'n1')).toEqual(before);
    const held = guest.findPort('side')?.spec.attachments;
    expect(held).toMatchObject([{ podName: 'l1', nad: 'a/red', role: 'Source' }]);
    const taken = guest.findPort('side', 'blue')?.spec.attachments;
    expect(taken).toMatchObject([{ podName: move.target, nad: 'a/blue' }]);

    guest.activate(move);
    await guest.whenOn(RED, NONE);
    await guest.settle('p1');
    expect(await guest.listLsps()).toEqual([RED, BLUE]);
    guest.succeed(move, 'l1');
    await whenOnly(BLUE);
    expect((await guest.whenOn(BLUE, 'n2')).addresses).toBe(second.addresses);
    await eventually('the release', () => guest.findPort('side') === undefined);
  });

  it('K6 the migration fails: nothing of the source is touched, and the new port waits for the next one', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    const { vmi } = await guest.run({ side: 'red' });
    const before = await guest.whenOn(RED, 'n1');
    guest.ask({ side: 'blue' });
    const waiting = await guest.whenOn(BLUE, NONE);
    const move = guest.begin(vmi, { side: 'blue' }, { from: 'n1', to: 'n2' });
    await guest.whenOn(BLUE, 'n2');
    guest.tell(move);
    guest.fail(move);
    expect((await guest.whenOn(BLUE, NONE)).addresses).toBe(waiting.addresses);
    await guest.settle('p1');
    expect(await guest.whenOn(RED, 'n1')).toEqual(before);
    expect(guest.findPort('side')?.spec.attachments).toMatchObject([{ podName: 'l1', nad: 'a/red' }]);
    await eventually('why it waits', () => guest.getCondition('Bound', 'side', 'blue')?.reason === 'NotAttached');
    expect(guest.getCondition('Bound', 'side', 'blue')?.message).toMatch(
      /waits for the live migration.* db\.side\.vm /,
    );
    const again = guest.begin(vmi, { side: 'blue' }, { from: 'n1', to: 'n3' });
    expect((await guest.whenOn(BLUE, 'n3')).addresses).toBe(waiting.addresses);
    guest.succeed(again, 'l1');
    await whenOnly(BLUE);
  });

  it('K6 it fails after the guest was seen on the target: the port of the source comes back', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    const { vmi } = await guest.run({ side: 'red' });
    const before = await guest.whenOn(RED, 'n1');
    guest.ask({ side: 'blue' });
    const move = guest.begin(vmi, { side: 'blue' }, { from: 'n1', to: 'n2' });
    await guest.whenOn(BLUE, 'n2');
    guest.activate(move);
    await guest.whenOn(RED, NONE);
    await eventually('nobody', () => guest.findPort('side')?.spec.attachments?.length === 0);
    guest.fail(move);
    expect(await guest.whenOn(RED, 'n1')).toEqual(before);
    await guest.whenOn(BLUE, NONE);
    expect(guest.findPort('side')?.spec.attachments).toMatchObject([{ podName: 'l1', nad: 'a/red' }]);
  });

  it('K6 a word from either launcher takes nothing from the other', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    const { vmi } = await guest.run({ side: 'red' });
    guest.ask({ side: 'blue' });
    const { target } = guest.begin(vmi, { side: 'blue' }, { from: 'n1', to: 'n2' });
    const before = [await guest.whenOn(RED, 'n1'), await guest.whenOn(BLUE, 'n2')];
    for (const [index, pod] of ['l1', target, 'l1'].entries()) {
      guest.cast.patch('pods', `a/${pod}`, { metadata: { labels: { 'kubevirt.io/at': String(index) } } });
      await guest.settle(`after-${index}`);
      expect([await guest.whenOn(RED, 'n1'), await guest.whenOn(BLUE, 'n2')]).toEqual(before);
    }
  });

  it('K6 the annotation of the source is rewritten to the new network: the guest keeps the port it runs on', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    await guest.run({ side: 'red' });
    const before = await guest.whenOn(RED, 'n1');
    await eventually('the attachment', () => guest.findPort('side')?.spec.attachments?.length === 1);
    guest.ask({ side: 'blue' });
    guest.cast.patch('pods', 'a/l1', { metadata: { annotations: annotate({ side: 'blue' }) } });
    await guest.whenOn(BLUE, NONE);
    await guest.settle('p1');
    expect(await guest.whenOn(RED, 'n1')).toEqual(before);
  });

  it('K6 asked for and taken back before any migration: the new port goes, the old one never knew', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    await guest.run({ side: 'red' });
    const before = await guest.whenOn(RED, 'n1');
    guest.ask({ side: 'blue' });
    await guest.whenOn(BLUE, NONE);
    guest.ask({ side: 'red' });
    await whenOnly(RED);
    expect(await guest.whenOn(RED, 'n1')).toEqual(before);
    await eventually('nothing pending', () => findAllocated()?.reason === 'Allocated');
  });

  it('K6 red, blue, red, blue: each migration brings what is asked for then', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    const { vmi } = await guest.run({ side: 'red' });
    let source = 'l1';
    let [from, to] = ['n1', 'n2'];
    for (const [network, lsp] of [
      ['blue', BLUE],
      ['red', RED],
      ['blue', BLUE],
    ] as const) {
      guest.ask({ side: network });
      const waiting = await guest.whenOn(lsp, NONE);
      const move = guest.begin(vmi, { side: network }, { from, to });
      await guest.whenOn(lsp, to);
      guest.succeed(move, source);
      await whenOnly(lsp);
      expect((await guest.whenOn(lsp, to)).addresses).toBe(waiting.addresses);
      source = move.target;
      [from, to] = [to, from];
    }
  });

  it('K6 the machine stops in the middle: it starts on the new network, and the old one has its address back', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    const { vm, vmi } = await guest.run({ side: 'red' });
    guest.ask({ side: 'blue' });
    const waiting = await guest.whenOn(BLUE, NONE);
    const move = guest.begin(vmi, { side: 'blue' }, { from: 'n1', to: 'n2' });
    await guest.whenOn(BLUE, 'n2');
    guest.cast.remove('vmims', `a/${move.name}`);
    guest.cast.remove('vmis', 'a/db');
    guest.cast.remove('pods', 'a/l1');
    await guest.settle('p1');
    // The target's launcher is the last that knows of the guest.
    expect(await guest.listLsps()).toContain(BLUE);
    guest.cast.remove('pods', `a/${move.target}`);
    await guest.whenOn(BLUE, NONE);
    await whenOnly(BLUE);
    const next = guest.cast.vmi('db', vm);
    guest.cast.patch('vmis', 'a/db', { spec: { networks: [{ name: 'side', multus: { networkName: 'blue' } }] } });
    guest.ask({ side: 'blue' });
    guest.cast.launcher('l3', next, { node: 'n3', annotations: annotate({ side: 'blue' }) });
    expect((await guest.whenOn(BLUE, 'n3')).addresses).toBe(waiting.addresses);
  });

  it('K6 the operator is replaced between any two steps: the same ports, no address twice', async () => {
    let operator = await stage.start();
    const restart = async () => {
      await operator.stop();
      operator = await stage.start();
    };
    await guest.makeNetworks('red', 'blue');
    const { vmi } = await guest.run({ side: 'red' });
    const before = await guest.whenOn(RED, 'n1');
    await operator.stop();
    guest.ask({ side: 'blue' });
    operator = await stage.start();
    const waiting = await guest.whenOn(BLUE, NONE);
    await restart();
    const move = guest.begin(vmi, { side: 'blue' }, { from: 'n1', to: 'n2' });
    await guest.whenOn(BLUE, 'n2');
    await restart();
    await guest.settle('p1');
    expect(await guest.whenOn(RED, 'n1')).toEqual(before);
    await operator.stop();
    guest.succeed(move, 'l1');
    operator = await stage.start();
    await whenOnly(BLUE);
    expect((await guest.whenOn(BLUE, 'n2')).addresses).toBe(waiting.addresses);
  });
});

describe('the same subnet by another network', () => {
  it('K6 one port: each launcher has its own network in its attachment', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    guest.cast.nad('door', { type: 'mooring' });
    guest.cast.nad('gate', { type: 'mooring' });
    const asks = { 'mooring.dev/nics': JSON.stringify({ side: { subnet: 'default' } }) };
    const { vmi } = await guest.run({ side: 'door' }, asks);
    const before = await guest.whenOn(RED, 'n1');
    guest.ask({ side: 'gate' });
    guest.begin(vmi, { side: 'gate' }, { from: 'n1', to: 'n2' });
    expect((await guest.whenOn(RED, 'n1,n2')).addresses).toBe(before.addresses);
    await eventually('both', () => guest.findPort('side')?.spec.attachments?.length === 2);
    const nads = guest.findPort('side')?.spec.attachments?.map(({ role, nad }) => `${role} ${nad}`);
    expect(nads).toEqual(['Source a/door', 'Target a/gate']);
    expect(await guest.listLsps()).toEqual([RED]);
  });
});
