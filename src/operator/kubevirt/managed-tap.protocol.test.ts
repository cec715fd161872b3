import { describe, expect, it } from 'vitest';
import { COLLECTIONS, until } from '../../../test/operator/stage.ts';
import { useStage } from '../../../test/operator/use-stage.ts';
import type { KubeVirt } from '../../api/objects.ts';
import type { KubeObject } from '../../kube/index.ts';
import { eventually } from '../../kube/testing/eventually.ts';

const PLUGIN = { domainAttachmentType: 'managedTap', migration: {} };
const ASKED = { settings: { registerManagedTap: true } };
const { stage, cast, guest } = useStage();

const make = (name: string, configuration: object = {}) =>
  stage.api.storage.create(COLLECTIONS.kubevirts, {
    metadata: { name, namespace: 'kubevirt' },
    spec: { configuration },
  } as KubeObject);
const list = () => stage.api.storage.list(COLLECTIONS.kubevirts) as unknown as KubeVirt[];
const find = (name: string) => list().find(({ metadata }) => metadata.name === name);
const pluginsOf = (name: string) => find(name)?.spec?.configuration?.network?.binding;
const whenRegistered = (name: string) =>
  eventually(`${name} knows managedTap`, () => pluginsOf(name)?.managedtap !== undefined);
/** A machine that came later has had its turn: the KubeVirt object has, too. */
const settle = async () => {
  cast.vm('later');
  await until('a later turn', async () => (await stage.listLsps()).has('vm/a/later/default'));
};

describe('the binding plugin managedTap', () => {
  it('is registered where that is asked for, beside all else that is there', async () => {
    const network = { binding: { passt: { networkAttachmentDefinition: 'a/b' } }, defaultNetworkInterface: 'bridge' };
    make('kubevirt', { evictionStrategy: 'LiveMigrate', network });
    await stage.start(ASKED);
    await whenRegistered('kubevirt');
    expect(find('kubevirt')?.spec?.configuration).toEqual({
      evictionStrategy: 'LiveMigrate',
      network: { ...network, binding: { ...network.binding, managedtap: PLUGIN } },
    });
    await eventually('the event', () => stage.events().includes('KubeVirt/kubevirt PluginRegistered'));
  });

  it('is registered when KubeVirt comes later, and again when somebody has taken it away', async () => {
    await stage.start(ASKED);
    await settle();
    make('kubevirt');
    await whenRegistered('kubevirt');
    cast.patch('kubevirts', 'kubevirt/kubevirt', { spec: { configuration: { network: { binding: null } } } });
    await whenRegistered('kubevirt');
  });

  it('is not written twice, neither by one operator nor by the next', async () => {
    make('kubevirt');
    const first = await stage.start(ASKED);
    await whenRegistered('kubevirt');
    const { resourceVersion } = find('kubevirt')?.metadata ?? {};
    await settle();
    await first.stop();
    await stage.start(ASKED);
    await guest.settle('p1');
    expect(find('kubevirt')?.metadata.resourceVersion).toBe(resourceVersion);
  });

  it('is left to whoever has written something else there, and that is told', async () => {
    const theirs = { managedtap: { domainAttachmentType: 'tap' } };
    make('kubevirt', { network: { binding: theirs } });
    const { log } = await stage.start(ASKED);
    await eventually('the event', () => stage.events().includes('KubeVirt/kubevirt PluginSetByUser'));
    expect(pluginsOf('kubevirt')).toEqual(theirs);
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', message: 'the binding plugin managedTap is not registered' }),
    );
  });

  it('is written into the oldest of several KubeVirt objects only', async () => {
    make('younger');
    make('older');
    await stage.start(ASKED);
    await whenRegistered('older');
    await settle();
    expect(pluginsOf('younger')).toBeUndefined();
  });

  it('is not registered where nobody asks for it', async () => {
    make('kubevirt');
    await stage.start();
    await settle();
    expect(pluginsOf('kubevirt')).toBeUndefined();
  });

  it('waits where an operator of today may not read the KubeVirt object, and all else works', async () => {
    make('kubevirt');
    stage.api.fault = ({ collection }) => (collection === COLLECTIONS.kubevirts ? { status: 403 } : undefined);
    const { operator } = await stage.start(ASKED);
    await eventually('ready', () => operator.findObstacle() === undefined);
    await settle();
    expect(pluginsOf('kubevirt')).toBeUndefined();
  });
});
