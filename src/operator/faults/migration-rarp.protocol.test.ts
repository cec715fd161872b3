import { describe, expect, it } from 'vitest';
import { formatRarp } from '../../../test/operator/fleet.ts';
import { useSea } from '../../../test/operator/sea.ts';
import { COLLECTIONS, until } from '../../../test/operator/stage.ts';

const sea = useSea(['n1', 'n2'], { settings: { activation: 'rarp' } });

const findMac = async () => (await until('the port', async () => sea.stage.findPort(sea.voyage.port)))?.spec.mac ?? '';
const listActivated = () => sea.fleet.bindings.findPortBinding(sea.voyage.lsp)?.activated ?? [];
const findStep = () => sea.stage.findPort(sea.voyage.port)?.status?.migration?.phase;

/** Another pod on the target node, with an interface of its own. */
async function plugStranger(): Promise<void> {
  const name = `stranger${sea.voyage.lsp.replaceAll(/[^a-z0-9]/g, '')}`;
  sea.stage.api.storage.create(COLLECTIONS.pods, {
    metadata: { name, namespace: 'a' },
    spec: { nodeName: 'n2' },
    status: { phase: 'Pending' },
  } as never);
  const port = await until('its port', async () => sea.stage.findPort(`a/${name}.eth0.pod`));
  const lsp = `pod/a/${name}/eth0`;
  await sea.fleet.ship('n2').plug('stranger', { lsp, uid: port.metadata.uid ?? '' });
  await until('bound', async () => sea.fleet.findBinding(lsp) === 'n2 |  | up' || undefined);
}

describe('an announcement', () => {
  it('F28 forged by another port of the target node: it opens nothing', async () => {
    await sea.start();
    await plugStranger();
    const leg = await sea.prepare('n2');
    await sea.fleet.sync();
    await sea.fleet.ship('n2').send('stranger', formatRarp(await findMac()));
    await sea.fleet.sync();
    expect(listActivated()).toEqual([]);
    expect(sea.voyage.asked.at(-1)).toBe('n1,n2');
    leg.handOver();
    leg.fail();
    await sea.voyage.whenAsked('n1');
  });

  it('F28 of the target before KubeVirt says that the guest is there: it commits nothing, and the failure shuts it', async () => {
    await sea.start();
    const leg = await sea.prepare('n2');
    leg.handOver();
    await sea.fleet.sync();
    await sea.fleet.ship('n2').send(sea.nameOf('tap'), formatRarp(await findMac()));
    await until('activated', async () => listActivated().includes('n2') || undefined);
    await until('told', async () => findStep() === 'Activated' || undefined);
    expect(sea.voyage.asked.at(-1)).toBe('n1,n2');
    expect(sea.fleet.findBinding(sea.voyage.lsp)).toBe('n1 | n2 | up');
    leg.fail();
    await sea.voyage.whenAsked('n1');
    await sea.whenBound('n1 |  | up');
    await until('told', async () => findStep() === 'RolledBack' || undefined);
  });

  it('F28 that never comes: KubeVirt’s word opens the target all the same', async () => {
    await sea.start();
    const leg = await sea.prepare('n2');
    leg.handOver();
    leg.ready();
    await sea.whenBound('n2 |  | up');
    await sea.voyage.whenAsked('n2');
    expect(listActivated()).toEqual([]);
  });
});
