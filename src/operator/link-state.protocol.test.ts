import { describe, expect, it } from 'vitest';
import { makeSpec } from '../../test/operator/guest.ts';
import { useStage } from '../../test/operator/use-stage.ts';

const { stage, guest } = useStage();

/** The guest's spec with the link of its NIC in this state. */
function setLink(state: string | undefined) {
  const spec = makeSpec({ side: 'red' });
  const interfaces = [{ name: 'side', bridge: {}, ...(state === undefined ? {} : { state }) }];
  return { ...spec, domain: { devices: { interfaces } } };
}

describe('the link of a NIC of a running VM', () => {
  it('that goes down and up again is between guest and launcher: nothing is written, nothing is lost', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    await guest.run({ side: 'red' });
    const row = await guest.whenOn('vm/a/db/side', 'n1');
    const { ips, mac, attachments } = guest.findPort('side')?.spec ?? {};
    for (const [index, state] of ['down', 'up', undefined].entries()) {
      guest.cast.patch('vms', 'a/db', { spec: { template: { spec: setLink(state) } } });
      guest.cast.patch('vmis', 'a/db', { spec: setLink(state) });
      await guest.settle(`p${index}`);
      expect(await guest.whenOn('vm/a/db/side', 'n1')).toEqual(row);
      expect(guest.findPort('side')?.spec).toMatchObject({ ips, mac, attachments });
    }
    expect(await guest.listLsps()).toEqual(['vm/a/db/side']);
  });

  it('that is down when the VM is made is a NIC like any other', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    guest.cast.vm('db', { spec: setLink('down') });
    await guest.whenOn('vm/a/db/side', 'mooring/unattached');
  });
});
