import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../command.ts';
import { type Context, expectSoon, getThing } from '../demo/context.ts';
import { RELEASE_NAMESPACE } from '../demo/install.ts';
import { kubectl } from '../kubectl.ts';
import { patchThing } from './things.ts';
import { expectEvent, openWorld } from './world.ts';

/** The binding plugin managedTap, which the chart's value `bindings.registerManagedTap` makes KubeVirt know. */
const KUBEVIRT = { namespace: 'kubevirt', name: 'kubevirt' };
/** The lab's KubeVirt object has it from its beginning. */
const PLUGIN = { domainAttachmentType: 'managedTap', migration: {} };

type Plugins = Readonly<Record<string, object>>;
type Configuration = { readonly network?: { readonly binding?: Plugins } };

let context: Context;

/** Gives the chart the value, and awaits its programs. */
async function setValue(register: boolean): Promise<void> {
  const { lab, root } = context;
  const helm = [lab.bin.helm, 'upgrade', '--install', 'mooring', join(root, 'charts/mooring')];
  const flags = ['--namespace', RELEASE_NAMESPACE, '-f', join(root, 'test/lab/values.yaml')];
  const value = ['--set', `bindings.registerManagedTap=${register}`, '--wait', '--timeout', '3m'];
  await runCommand([...helm, ...flags, ...value], { timeoutMs: 200_000, env: { KUBECONFIG: lab.adminKubeconfig } });
}

async function getConfiguration(): Promise<Configuration> {
  return (await getThing(context, 'kubevirt', KUBEVIRT.name, KUBEVIRT.namespace)).spec.configuration ?? {};
}

const findPlugin = async (): Promise<object | undefined> => (await getConfiguration()).network?.binding?.managedtap;

/** Writes the plugin as KubeVirt's administrator does; a field that is null goes. */
const writePlugin = (plugin: object | null): Promise<void> =>
  patchThing(context, ['-n', KUBEVIRT.namespace, 'kubevirt', KUBEVIRT.name], {
    spec: { configuration: { network: { binding: { managedtap: plugin } } } },
  });

const expectRegistered = (): Promise<object> =>
  expectSoon('the plugin in the KubeVirt object', 60, async () => findPlugin());

beforeAll(async () => {
  context = await openWorld();
  await writePlugin(null);
  const selector = `involvedObject.name=${KUBEVIRT.name}`;
  await kubectl(context.lab, ['-n', KUBEVIRT.namespace, 'delete', 'events', '--field-selector', selector]);
});

afterAll(async () => {
  await setValue(false);
  await writePlugin(PLUGIN);
});

describe('the binding plugin managedTap', () => {
  it('gets into the KubeVirt object with the chart’s value, and all else there stays', async () => {
    const before = await getConfiguration();
    expect(before.network?.binding ?? {}).not.toHaveProperty('managedtap');
    await setValue(true);
    await expectRegistered();
    const network = { ...before.network, binding: { ...before.network?.binding, managedtap: PLUGIN } };
    expect(await getConfiguration()).toEqual({ ...before, network });
    const note = await expectEvent(context, KUBEVIRT.namespace, KUBEVIRT.name, 'PluginRegistered');
    expect(note).toContain('network.binding.managedtap is set');
  });

  it('comes back when somebody has taken it out', async () => {
    await writePlugin(null);
    expect(await expectRegistered()).toEqual(PLUGIN);
  });

  it('stays as somebody else has written it, and that is told', async () => {
    await writePlugin({ migration: null });
    const note = await expectEvent(context, KUBEVIRT.namespace, KUBEVIRT.name, 'PluginSetByUser');
    expect(note).toContain('is somebody else');
    expect(await findPlugin()).toEqual({ domainAttachmentType: PLUGIN.domainAttachmentType });
  });
});
