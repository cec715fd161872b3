import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGuest } from '../../../test/operator/guest.ts';
import { createCast } from '../../../test/operator/objects.ts';
import { COLLECTIONS, type Stage, startStage } from '../../../test/operator/stage.ts';
import type { KubeObject } from '../../kube/index.ts';
import { eventually } from '../../kube/testing/eventually.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

/** All calls for these kinds are answered so. */
function answer(status: number, kinds: readonly string[]) {
  stage.api.fault = ({ collection }) => (kinds.includes(collection) ? { status } : undefined);
}

describe('an operator of today in a cluster of yesterday', () => {
  const { migrationNetworks, kubevirts } = COLLECTIONS;
  it.each<[string, number, string[]]>([
    ['where the CRD of MigrationNetworks is not there', 404, [migrationNetworks]],
    ['where there is no KubeVirt either', 404, [migrationNetworks, kubevirts]],
    ['where it may not read them: neither they nor KubeVirt were in its role', 403, [migrationNetworks, kubevirts]],
  ])('%s is ready and does its work', async (_cause, status, kinds) => {
    answer(status, kinds);
    const { operator } = await stage.start();
    await eventually('ready', () => operator.findObstacle() === undefined);
    const guest = createGuest(stage);
    await guest.makeNetworks('red');
    const { vmi } = await guest.run({ side: 'red' });
    const move = guest.begin(vmi, { side: 'red' }, { from: 'n1', to: 'n2' });
    await guest.whenOn('vm/a/db/side', 'n1,n2');
    guest.succeed(move, 'l1');
    await guest.whenOn('vm/a/db/side', 'n2');
  });

  it("where it may not read KubeVirt's object any more takes nothing away that virt-handlers may need", async () => {
    const create = (kind: keyof typeof COLLECTIONS, object: object) =>
      stage.api.storage.create(COLLECTIONS[kind], object as KubeObject);
    create('namespaces', { metadata: { name: 'kubevirt' } });
    create('kubevirts', { metadata: { name: 'kubevirt', namespace: 'kubevirt' }, spec: { configuration: {} } });
    const spec = { uplink: { interface: 'eth1' }, cidrBlock: '198.18.2.0/24' };
    create('migrationNetworks', { metadata: { name: 'lab' }, spec });
    const listNads = () => stage.api.storage.list(COLLECTIONS.nads).map(({ metadata }) => metadata.name);
    const isSet = () => JSON.stringify(stage.api.storage.list(kubevirts)).includes('"network":"mooring-migration-lab"');
    const first = await stage.start();
    await eventually('KubeVirt told', isSet);
    await first.stop();
    answer(403, [kubevirts]);
    const { operator } = await stage.start();
    await eventually('ready', () => operator.findObstacle() === undefined);
    createCast(stage.api).remove('migrationNetworks', 'lab');
    await createGuest(stage).settle('p1');
    expect(listNads()).toEqual(['mooring-migration-lab']);
    expect(stage.findSubnet('migration-lab')?.metadata.deletionTimestamp).toBeUndefined();
  });
});
