import { describe, expect, it } from 'vitest';
import { makeSpec, NONE } from '../../test/operator/guest.ts';
import { COLLECTIONS, until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import { eventually } from '../kube/testing/eventually.ts';
import type { SeenRequest } from '../kube/testing/fake-api-server.ts';

const { stage, guest } = useStage();

const RED = 'vm/a/db/side';

/** The API server refuses every LogicalPort of this NIC, as by a quota or by a CRD of an earlier version. */
function refuse(status: number, isMeant: (spec: LogicalPort['spec']) => boolean, words = 'no'): SeenRequest[] {
  const refused: SeenRequest[] = [];
  stage.api.fault = (request) => {
    if (request.verb !== 'create' || !request.collection.endsWith('/logicalports')) return undefined;
    if (!isMeant((request.body as LogicalPort).spec)) return undefined;
    refused.push(request);
    return { status, message: `${words} ${refused.length}` };
  };
  return refused;
}

/** The API server refuses every change of what this NIC's LogicalPort asks for; its status may be written. */
function refuseChanges(nic: string): SeenRequest[] {
  const refused: SeenRequest[] = [];
  const name = guest.findPort(nic)?.metadata.name;
  stage.api.fault = (request) => {
    if (request.verb !== 'patch' || !request.collection.endsWith('/logicalports')) return undefined;
    if (request.key.split('/').at(-1) !== name || !Object.hasOwn(request.body as object, 'spec')) return undefined;
    refused.push(request);
    return { status: 403, message: `admission webhook "w" denied the request: no ${refused.length}` };
  };
  return refused;
}

const listNotes = () =>
  (stage.api.storage.list(COLLECTIONS.events) as unknown as { reason: string; note: string }[]).flatMap(
    ({ reason, note }) => (reason === 'PortRefused' ? [note] : []),
  );

describe('a port that the API server refuses for good', () => {
  it('keeps no other NIC of the machine from migrating', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    const { vmi } = await guest.run({ side: 'red' });
    const refused = refuse(403, ({ nic }) => nic === 'more');
    guest.ask({ side: 'red', more: 'blue' });
    await eventually('the refusal', () => refused.length > 0);
    const move = guest.begin(vmi, { side: 'red' }, { from: 'n1', to: 'n2' });
    await guest.whenOn(RED, 'n1,n2');
    guest.activate(move);
    await guest.whenOn(RED, 'n2');
    expect(guest.findPort('more')).toBeUndefined();
    stage.api.fault = undefined;
    await eventually('the port of the new NIC', () => guest.findPort('more')?.spec.ips.length === 1);
  });

  it('keeps no other port from its release: that may be what a quota waits for', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    await guest.run({ side: 'red' });
    const refused = refuse(403, ({ nic }) => nic === 'more');
    guest.cast.patch('vms', 'a/db', {
      spec: {
        template: {
          spec: {
            domain: { devices: { interfaces: [{ name: 'more', bridge: {} }] } },
            networks: [{ name: 'more', multus: { networkName: 'blue' } }],
          },
        },
      },
    });
    await eventually('the refusal', () => refused.length > 0);
    guest.cast.setStatus('pods', 'a/l1', { phase: 'Succeeded' });
    guest.cast.remove('vmis', 'a/db');
    await eventually('the release', () => guest.findPort('side') === undefined);
    await until('no row', async () => (await guest.listLsps()).length === 0);
  });

  it('as the CRD does not know second ports: it is asked not to drop what it does not know, and the first one stays', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    await guest.run({ side: 'red' });
    const refused = refuse(400, ({ madeFor }) => madeFor !== undefined);
    const before = await guest.whenOn(RED, 'n1');
    guest.ask({ side: 'blue' });
    await eventually('the refusal', () => refused.length > 0);
    expect(refused[0]?.query.get('fieldValidation')).toBe('Strict');
    await guest.settle('p1');
    expect(await guest.whenOn(RED, 'n1')).toEqual(before);
    expect(await guest.listLsps()).toEqual([RED]);
  });

  it.each([
    ['a quota', 403, 'is forbidden: exceeded quota: ports, used:', 'raise the ResourceQuota'],
    ['an admission webhook', 400, 'admission webhook "w" denied the request: id', 'change the admission webhook'],
    ['a CRD of before', 422, 'LogicalPort is invalid: spec.nic:', 'apply crds/'],
  ])('is told once with the way out, and comes without any other change: %s', async (_cause, status, words, way) => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    await guest.run({ side: 'red' });
    const refused = refuse(status, ({ nic }) => nic === 'more', words);
    guest.ask({ side: 'red', more: 'blue' });
    await eventually('several refusals', () => refused.length > 3);
    const [note] = await eventually('the event', () => (listNotes().length > 0 ? listNotes() : undefined));
    expect(note).toContain(words);
    expect(note).toContain(way);
    expect(stage.events()).toContain('VirtualMachine/db PortRefused');
    stage.api.fault = undefined;
    await eventually('the port of the new NIC', () => guest.findPort('more')?.spec.ips.length === 1);
    expect(listNotes()).toEqual([note]);
  });
});

describe('a change of a port that the API server refuses for good', () => {
  it('keeps no other port from its release and its own from no row; it is told once', async () => {
    await stage.start();
    await guest.makeNetworks('red', 'blue');
    await guest.run({ side: 'red', more: 'blue' });
    const refused = refuseChanges('side');
    guest.cast.patch('vms', 'a/db', { spec: { template: { spec: makeSpec({ side: 'red' }) } } });
    guest.cast.setStatus('pods', 'a/l1', { phase: 'Succeeded' });
    guest.cast.remove('vmis', 'a/db');
    await guest.whenOn(RED, NONE);
    await eventually('several refusals', () => refused.length > 3);
    await eventually('the release', () => guest.findPort('more') === undefined);
    expect(await guest.listLsps()).toEqual([RED]);
    expect(guest.findPort('side')?.spec.attachments).toHaveLength(1);
    const [note] = await eventually('the event', () => (listNotes().length > 0 ? listNotes() : undefined));
    expect(note).toContain('cannot be changed and stays as it is');
    stage.api.fault = undefined;
    await eventually('the change', () => (guest.findPort('side')?.spec.attachments ?? []).length === 0);
    expect(listNotes()).toEqual([note]);
  });

  it('keeps no migration from its rows and its steps', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    const { vmi } = await guest.run({ side: 'red' });
    const refused = refuseChanges('side');
    const move = guest.begin(vmi, { side: 'red' }, { from: 'n1', to: 'n2' });
    await guest.whenOn(RED, 'n1,n2');
    await eventually('the first step', () => guest.findPort('side')?.status?.migration?.phase === 'Prepared');
    guest.activate(move);
    await guest.whenOn(RED, 'n2');
    await eventually('the next step', () => guest.findPort('side')?.status?.migration?.phase === 'Activated');
    expect(refused.length).toBeGreaterThan(0);
    stage.api.fault = undefined;
    await eventually('the change', () => guest.findPort('side')?.spec.attachments?.[0]?.podName === move.target);
  });

  it('as it would have its address now: the port says so', async () => {
    await stage.start();
    guest.cast.nad('red', { type: 'mooring', provider: 'red.a.ovn', subnet: 'red' });
    guest.cast.vm('db', { spec: makeSpec({ side: 'red' }) });
    await eventually('the place', () => guest.getCondition('Allocated', 'side')?.reason);
    refuseChanges('side');
    guest.cast.subnet('red', { cidrBlock: '172.17.0.0/24', provider: 'red.a.ovn' });
    await eventually('the reason', () => guest.getCondition('Allocated', 'side')?.reason === 'PortRefused');
    expect(await guest.listLsps()).toEqual([]);
    stage.api.fault = undefined;
    await guest.whenOn(RED, NONE);
    await eventually('the address', () => guest.getCondition('Allocated', 'side')?.reason === 'Allocated');
  });
});
