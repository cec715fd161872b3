import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGuest } from '../../test/operator/guest.ts';
import { type Stage, startStage, until } from '../../test/operator/stage.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import { eventually } from '../kube/testing/eventually.ts';
import type { SeenRequest } from '../kube/testing/fake-api-server.ts';

let stage: Stage;
let guest: ReturnType<typeof createGuest>;
beforeEach(async () => {
  stage = await startStage();
  guest = createGuest(stage);
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

const RED = 'vm/a/db/side';

/** The API server refuses every LogicalPort of this NIC, as by a quota or by a CRD of an earlier version. */
function refuse(status: number, isMeant: (spec: LogicalPort['spec']) => boolean): SeenRequest[] {
  const refused: SeenRequest[] = [];
  stage.api.fault = (request) => {
    if (request.verb !== 'create' || !request.collection.endsWith('/logicalports')) return undefined;
    if (!isMeant((request.body as LogicalPort).spec)) return undefined;
    refused.push(request);
    return { status };
  };
  return refused;
}

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
});
