import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCast } from '../../test/operator/objects.ts';
import { type Stage, startStage, until } from '../../test/operator/stage.ts';
import { formatLauncherInterface, formatLogicalPortName } from '../api/names.ts';
import type { KubeObject } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';

let stage: Stage;
let cast: ReturnType<typeof createCast>;
beforeEach(async () => {
  stage = await startStage();
  cast = createCast(stage.api);
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

const NONE = 'mooring/unattached';
const FIRST = 'vm/a/db/side';
const placeOf = (madeFor?: string) => (madeFor === undefined ? FIRST : `${FIRST}/${madeFor}`);
const nameOf = (madeFor?: string) => {
  const key = { ownerKind: 'VirtualMachine' as const, namespace: 'a', owner: 'db', nic: 'side' };
  return `a/${formatLogicalPortName(madeFor === undefined ? key : { ...key, madeFor })}`;
};
const findPort = (madeFor?: string) => stage.findPort(nameOf(madeFor));

const onNads = (nics: Record<string, string>) => ({
  domain: { devices: { interfaces: Object.keys(nics).map((name) => ({ name, bridge: {} })) } },
  networks: Object.entries(nics).map(([name, networkName]) => ({ name, multus: { networkName } })),
});
/** What KubeVirt writes on a launcher. */
const annotate = (nics: Record<string, string>) => ({
  'k8s.v1.cni.cncf.io/networks': JSON.stringify(
    Object.entries(nics).map(([nic, name]) => ({ name, namespace: 'a', interface: formatLauncherInterface(nic) })),
  ),
});

async function makeNetworks(...names: string[]) {
  for (const [index, name] of names.entries()) {
    cast.nad(name, { type: 'mooring', provider: `${name}.a.ovn` });
    cast.subnet(name, { cidrBlock: `172.17.${index}.0/24`, provider: `${name}.a.ovn` });
  }
  for (const name of names) {
    await eventually(name, () => stage.findSubnet(name)?.status?.conditions?.[0]?.reason === 'Ready');
  }
}

/** A VM that runs on n1 with its NICs, in launcher l1. */
async function runVm(nics: Record<string, string> = { side: 'red' }) {
  const vm = cast.vm('db', { spec: onNads(nics) });
  const vmi = cast.vmi('db', vm);
  cast.patch('vmis', 'a/db', { spec: onNads(nics) });
  cast.launcher('l1', vmi, { node: 'n1', annotations: annotate(nics) });
  cast.setStatus('vmis', 'a/db', { phase: 'Running', nodeName: 'n1' });
  for (const nic of Object.keys(nics)) await whenLsp(`vm/a/db/${nic}`, 'n1');
  return { vm, vmi };
}

/** The networks of the VM and of its guest are from now on these. */
function ask(nics: Record<string, string>) {
  cast.patch('vms', 'a/db', { spec: { template: { spec: onNads(nics) } } });
  cast.patch('vmis', 'a/db', { spec: onNads(nics) });
}

type Move = { readonly uid: string; readonly from: string; readonly to: string; readonly target: string };

let moves = 0;
/** A migration whose target has its launcher. */
function begin(vmi: KubeObject, nics: Record<string, string>, at: Pick<Move, 'from' | 'to'>): Move {
  moves += 1;
  const uid = cast.vmim(`m${moves}`, 'db').metadata.uid ?? '';
  const target = `t${moves}`;
  cast.launcher(target, vmi, { node: at.to, job: uid, annotations: annotate(nics) });
  return { uid, target, ...at };
}

const tell = ({ uid, from, to }: Move, more: object = {}) => ({
  migrationState: { migrationUid: uid, sourceNode: from, targetNode: to, ...more },
});

function succeed(move: Move, source: string) {
  const ready = { targetNodeDomainReadyTimestamp: '2026-11-21T10:48:37Z', completed: true };
  cast.setStatus('vmis', 'a/db', { nodeName: move.to, ...tell(move, ready) });
  cast.setStatus('vmims', `a/m${moves}`, { phase: 'Succeeded' });
  cast.setStatus('pods', `a/${source}`, { phase: 'Succeeded' });
}

function failMove(move: Move) {
  cast.setStatus('vmis', 'a/db', tell(move, { failed: true }));
  cast.setStatus('vmims', `a/m${moves}`, { phase: 'Failed' });
  cast.remove('pods', `a/${move.target}`);
}

const listSide = async () => new Map([...(await stage.listLsps())].filter(([name]) => name.startsWith(FIRST)));
const whenLsp = (name: string, chassis: string) =>
  until(`${name} on ${chassis}`, async () => {
    const lsp = (await stage.listLsps()).get(name);
    return lsp?.chassis === chassis ? lsp : undefined;
  });
const whenOnly = (...names: string[]) =>
  until(`only ${names.join()}`, async () => [...(await listSide()).keys()].toSorted().join() === names.join());
/** A turn of everything that came before has passed when a later pod has its port. */
async function settle(name: string) {
  cast.pod(name);
  await until(name, async () => (await stage.listLsps()).has(`pod/a/${name}/eth0`));
}
const getCondition = (type: string, madeFor?: string) =>
  findPort(madeFor)?.status?.conditions?.find((condition) => condition.type === type);

describe('another network for a NIC of a running VM', () => {
  it('K6 the new port is there before the migration, the old one goes only after the guest', async () => {
    await stage.start();
    await makeNetworks('red', 'blue');
    const { vmi } = await runVm();
    const before = await whenLsp(FIRST, 'n1');
    ask({ side: 'blue' });
    const second = await whenLsp(placeOf('blue'), NONE);
    expect(second.addresses).toMatch(/ 172\.17\.1\.\d+$/);
    await eventually('what is pending', () => getCondition('Allocated')?.reason === 'ChangePending');
    expect(getCondition('Allocated')?.message).toMatch(/172\.17\.0\.\d+; subnet blue on network a\/blue .* migration/);
    expect(await whenLsp(FIRST, 'n1')).toEqual(before);

    const move = begin(vmi, { side: 'blue' }, { from: 'n1', to: 'n2' });
    await whenLsp(placeOf('blue'), 'n2');
    await eventually('the target', () => findPort('blue')?.spec.attachments?.[0]?.role === 'Target');
    expect(await whenLsp(FIRST, 'n1')).toEqual(before);
    expect(findPort()?.spec.attachments).toMatchObject([{ podName: 'l1', nad: 'a/red', role: 'Source' }]);
    expect(findPort('blue')?.spec.attachments).toMatchObject([{ podName: move.target, nad: 'a/blue' }]);

    cast.setStatus('vmis', 'a/db', tell(move, { targetNodeDomainReadyTimestamp: '2026-11-21T10:48:37Z' }));
    await whenLsp(FIRST, NONE);
    await settle('p1');
    expect((await listSide()).size).toBe(2);
    succeed(move, 'l1');
    await whenOnly(placeOf('blue'));
    expect((await whenLsp(placeOf('blue'), 'n2')).addresses).toBe(second.addresses);
    await eventually('the release', () => findPort() === undefined);
  });

  it('K6 the migration fails: nothing of the source is touched, and the new port waits for the next one', async () => {
    await stage.start();
    await makeNetworks('red', 'blue');
    const { vmi } = await runVm();
    const before = await whenLsp(FIRST, 'n1');
    ask({ side: 'blue' });
    const waiting = await whenLsp(placeOf('blue'), NONE);
    const move = begin(vmi, { side: 'blue' }, { from: 'n1', to: 'n2' });
    await whenLsp(placeOf('blue'), 'n2');
    cast.setStatus('vmis', 'a/db', tell(move));
    failMove(move);
    expect((await whenLsp(placeOf('blue'), NONE)).addresses).toBe(waiting.addresses);
    await settle('p1');
    expect(await whenLsp(FIRST, 'n1')).toEqual(before);
    expect(findPort()?.spec.attachments).toMatchObject([{ podName: 'l1', nad: 'a/red' }]);
    const again = begin(vmi, { side: 'blue' }, { from: 'n1', to: 'n3' });
    expect((await whenLsp(placeOf('blue'), 'n3')).addresses).toBe(waiting.addresses);
    succeed(again, 'l1');
    await whenOnly(placeOf('blue'));
  });

  it('K6 a word from either launcher takes nothing from the other', async () => {
    await stage.start();
    await makeNetworks('red', 'blue');
    const { vmi } = await runVm();
    ask({ side: 'blue' });
    const { target } = begin(vmi, { side: 'blue' }, { from: 'n1', to: 'n2' });
    const before = [await whenLsp(FIRST, 'n1'), await whenLsp(placeOf('blue'), 'n2')];
    for (const pod of ['l1', target, 'l1']) {
      cast.patch('pods', `a/${pod}`, { metadata: { labels: { at: String(performance.now()) } } });
      await settle(`after-${pod}-${Math.round(performance.now())}`);
      expect([await whenLsp(FIRST, 'n1'), await whenLsp(placeOf('blue'), 'n2')]).toEqual(before);
    }
  });

  it('K6 the annotation of the source is rewritten to the new network: the guest keeps the port it runs on', async () => {
    await stage.start();
    await makeNetworks('red', 'blue');
    await runVm();
    const before = await whenLsp(FIRST, 'n1');
    await eventually('the attachment', () => findPort()?.spec.attachments?.length === 1);
    ask({ side: 'blue' });
    cast.patch('pods', 'a/l1', { metadata: { annotations: annotate({ side: 'blue' }) } });
    await whenLsp(placeOf('blue'), NONE);
    await settle('p1');
    expect(await whenLsp(FIRST, 'n1')).toEqual(before);
  });

  it('K6 asked for and taken back before any migration: the new port goes, the old one never knew', async () => {
    await stage.start();
    await makeNetworks('red', 'blue');
    await runVm();
    const before = await whenLsp(FIRST, 'n1');
    ask({ side: 'blue' });
    await whenLsp(placeOf('blue'), NONE);
    ask({ side: 'red' });
    await whenOnly(FIRST);
    expect(await whenLsp(FIRST, 'n1')).toEqual(before);
    await eventually('nothing pending', () => getCondition('Allocated')?.reason === 'Allocated');
  });

  it('K6 red, blue, red, blue: each migration brings what is asked for then', async () => {
    await stage.start();
    await makeNetworks('red', 'blue');
    const { vmi } = await runVm();
    let source = 'l1';
    let [from, to] = ['n1', 'n2'];
    for (const [network, place] of [
      ['blue', 'blue'],
      ['red', undefined],
      ['blue', 'blue'],
    ] as const) {
      ask({ side: network });
      const waiting = await whenLsp(placeOf(place), NONE);
      const move = begin(vmi, { side: network }, { from, to });
      await whenLsp(placeOf(place), to);
      succeed(move, source);
      await whenOnly(placeOf(place));
      expect((await whenLsp(placeOf(place), to)).addresses).toBe(waiting.addresses);
      expect(findPort(place)?.spec.subnet).toBe(network);
      source = move.target;
      [from, to] = [to, from];
    }
  });
});
