import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RightsStage, readTemplate, startRightsStage, whenRefused } from '../../../test/kube/rights.ts';
import { teachKinds } from '../../../test/kube/teach.ts';
import { KINDS } from '../../api/group.ts';
import { createResource, type KubeObject } from '../../kube/index.ts';
import { planManagedTap } from '../../plan/kubevirt/managed-tap.ts';

/** What the chart lets the operator write of KubeVirt's network, asked of a real API server. */
const KUBEVIRTS = 'apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts';
const PLUGIN = { domainAttachmentType: 'managedTap', migration: {} };
const THEIRS = { networkAttachmentDefinition: 'a/b' };

let stage: RightsStage;
beforeAll(async () => {
  stage = await startRightsStage('mooring-operator');
  await teachKinds(stage.admin, [KINDS.kubevirt]);
  const rights = (await readTemplate('operator.yaml')).filter(({ kind }) => kind?.startsWith('ClusterRole'));
  const policy = await readTemplate('operator-policy.yaml', 'bindings.registerManagedTap=true');
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kubevirt' } };
  await stage.apply([namespace, ...rights, ...policy]);
  const create = (name: string, configuration: object) =>
    createResource(stage.admin, KINDS.kubevirt).create({
      metadata: { name, namespace: 'kubevirt' },
      spec: { imageTag: 'v1', configuration },
    } as KubeObject);
  await create('bare', {});
  await create('full', {
    network: { binding: { passt: THEIRS }, permitBridgeInterfaceOnPodNetwork: false },
    evictionStrategy: 'LiveMigrate',
  });
  await create('taken', { network: { binding: { managedtap: { domainAttachmentType: 'tap' } } } });
  await whenRefused((turn) => write('bare', { spec: { imageTag: turn } }));
});
afterAll(() => stage?.[Symbol.asyncDispose]());

/** Leaves no trace. */
const write = (name: string, body: object | undefined) =>
  stage.send({ method: 'PATCH', path: `${KUBEVIRTS}/${name}?dryRun=All`, body });
const setNetwork = (network: object | null) => ({ spec: { configuration: { network } } });
const setPlugins = (binding: object | null) => setNetwork({ binding });

describe('the operator may', () => {
  it.each(['bare', 'full'])('register managedTap just as it does, in a KubeVirt that is %s', async (name) => {
    const planned = planManagedTap({ metadata: { name } });
    expect(planned).toMatchObject({ ok: true, value: setPlugins({ managedtap: PLUGIN }) });
    const answer = await write(name, planned.ok ? planned.value : undefined);
    expect(answer).toMatchObject({ status: 200 });
    expect(JSON.parse(answer.text).spec.configuration.network.binding).toMatchObject({ managedtap: PLUGIN });
  });

  it('write for a MigrationNetwork as without', async () => {
    const migrations = { network: 'n', bandwidthPerMigration: '64Mi' };
    for (const name of ['bare', 'full', 'taken']) {
      expect(await write(name, { spec: { configuration: { migrations } } })).toMatchObject({ status: 200 });
    }
  });
});

describe('the operator may not', () => {
  it.each<[string, string, object]>([
    ['register another plugin', 'bare', setPlugins({ other: PLUGIN })],
    ['register it under another spelling', 'bare', setPlugins({ managedTap: PLUGIN })],
    ['register one with an image', 'bare', setPlugins({ managedtap: { ...PLUGIN, sidecarImage: 'x' } })],
    ['register one of another kind', 'bare', setPlugins({ managedtap: { ...PLUGIN, domainAttachmentType: 'tap' } })],
    [
      'register one with a way to migrate',
      'bare',
      setPlugins({ managedtap: { ...PLUGIN, migration: { method: 'x' } } }),
    ],
    ['register one with a network', 'bare', setPlugins({ managedtap: { ...PLUGIN, ...THEIRS } })],
    ['register one that says nothing', 'bare', setPlugins({ managedtap: {} })],
    ['overwrite one that is there', 'taken', setPlugins({ managedtap: PLUGIN })],
    ['add to one that is there', 'taken', setPlugins({ managedtap: { migration: {} } })],
    ['remove one that is there', 'taken', setPlugins({ managedtap: null })],
    ['change a plugin of others', 'full', setPlugins({ passt: { networkAttachmentDefinition: 'a/c' } })],
    ['remove a plugin of others', 'full', setPlugins({ passt: null, managedtap: PLUGIN })],
    ['remove all plugins', 'full', setPlugins(null)],
    ['remove the network', 'full', setNetwork(null)],
    ['change what else the network is', 'full', setNetwork({ permitBridgeInterfaceOnPodNetwork: true })],
    ['add to what else the network is', 'bare', setNetwork({ defaultNetworkInterface: 'masquerade' })],
    ['remove what else the network is', 'full', setNetwork({ permitBridgeInterfaceOnPodNetwork: null })],
    ['change the configuration', 'full', { spec: { configuration: { evictionStrategy: 'None' } } }],
    ['remove the configuration', 'full', { spec: { configuration: null } }],
  ])('%s', async (_what, name, body) => {
    expect(await write(name, body)).toMatchObject({
      status: 422,
      text: expect.stringContaining('the operator may write only'),
    });
  });
});
