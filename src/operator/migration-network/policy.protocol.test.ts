import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Method,
  type RightsStage,
  readTemplate,
  startRightsStage,
  whenRefused,
} from '../../../test/kube/rights.ts';
import { teachKinds } from '../../../test/kube/teach.ts';
import { KINDS } from '../../api/group.ts';
import { createResource, type KubeObject } from '../../kube/index.ts';

/** What the chart lets the operator write of KubeVirt and of definitions, asked of a real API server. */
const KUBEVIRT = 'apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts/kubevirt';
const NADS = 'apis/k8s.cni.cncf.io/v1/namespaces/kubevirt/network-attachment-definitions';
const MARK = 'mooring.dev/migration-network';

let stage: RightsStage;
beforeAll(async () => {
  stage = await startRightsStage('mooring-operator');
  await teachKinds(stage.admin, [KINDS.kubevirt, KINDS.nad]);
  const rights = (await readTemplate('operator.yaml')).filter(({ kind }) => kind?.startsWith('ClusterRole'));
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kubevirt' } };
  await stage.apply([namespace, ...rights, ...(await readTemplate('operator-policy.yaml'))]);
  await createResource(stage.admin, KINDS.kubevirt).create({
    metadata: { name: 'kubevirt', namespace: 'kubevirt', annotations: { note: 'theirs' }, labels: { a: 'b' } },
    spec: { imageTag: 'v1', configuration: { evictionStrategy: 'LiveMigrate', migrations: { allowPostCopy: true } } },
  } as KubeObject);
  await createResource(stage.admin, KINDS.nad).create(formatNad('wire'));
  await whenRefused((turn) => send('PATCH', `${KUBEVIRT}?dryRun=All`, { spec: { imageTag: turn } }));
  await whenRefused((turn) => send('PATCH', `${NADS}/wire?dryRun=All`, { spec: { config: turn } }));
});
afterAll(() => stage?.[Symbol.asyncDispose]());

const send = (method: Method, path: string, body?: object) => stage.send({ method, path, body });
const formatNad = (name: string) =>
  ({ metadata: { name, namespace: 'kubevirt' }, spec: { config: '{"type":"macvlan"}' } }) as KubeObject;

const setMigrations = (migrations: object | null) => ({ spec: { configuration: { migrations } } });

describe('the operator may', () => {
  it('set network and bandwidth with its mark, and take them back', async () => {
    const annotations = (value: string | null) => ({ metadata: { annotations: { [MARK]: value } } });
    const set = { ...annotations('{}'), ...setMigrations({ network: 'n', bandwidthPerMigration: '64Mi' }) };
    expect(await send('PATCH', KUBEVIRT, set)).toMatchObject({ status: 200 });
    const back = { ...annotations(null), ...setMigrations({ network: null, bandwidthPerMigration: null }) };
    const answer = await send('PATCH', KUBEVIRT, back);
    expect(answer).toMatchObject({ status: 200 });
    expect(JSON.parse(answer.text).spec.configuration.migrations).toEqual({ allowPostCopy: true });
  });

  it('make, change and delete the definition of a MigrationNetwork', async () => {
    const nad = {
      apiVersion: 'k8s.cni.cncf.io/v1',
      kind: 'NetworkAttachmentDefinition',
      ...formatNad('mooring-migration-a'),
    };
    expect(await send('POST', NADS, nad)).toMatchObject({ status: 201 });
    const path = `${NADS}/mooring-migration-a`;
    expect(await send('PATCH', path, { spec: { config: '{"type":"bridge"}' } })).toMatchObject({ status: 200 });
    expect(await send('DELETE', path)).toMatchObject({ status: 200 });
  });
});

describe('the operator may not', () => {
  const generated = { apiVersion: 'k8s.cni.cncf.io/v1', kind: 'NetworkAttachmentDefinition' };
  it.each<[string, Method, string, object | undefined]>([
    ['change another field of migrations', 'PATCH', KUBEVIRT, setMigrations({ allowPostCopy: false })],
    ['add another field of migrations', 'PATCH', KUBEVIRT, setMigrations({ disableTLS: true })],
    ['remove the migrations of others', 'PATCH', KUBEVIRT, setMigrations(null)],
    ['change the configuration', 'PATCH', KUBEVIRT, { spec: { configuration: { evictionStrategy: 'None' } } }],
    ['remove the configuration', 'PATCH', KUBEVIRT, { spec: { configuration: null } }],
    ['change what else KubeVirt is to be', 'PATCH', KUBEVIRT, { spec: { imageTag: 'v9' } }],
    ['add to what KubeVirt is to be', 'PATCH', KUBEVIRT, { spec: { imageRegistry: 'example.org' } }],
    ['change an annotation of others', 'PATCH', KUBEVIRT, { metadata: { annotations: { note: 'ours' } } }],
    ['remove an annotation of others', 'PATCH', KUBEVIRT, { metadata: { annotations: { note: null } } }],
    ['change a label', 'PATCH', KUBEVIRT, { metadata: { labels: { a: 'c' } } }],
    ['set a finalizer', 'PATCH', KUBEVIRT, { metadata: { finalizers: ['mooring.dev/x'] } }],
    ["change a user's definition", 'PATCH', `${NADS}/wire`, { spec: { config: '{"type":"host-device"}' } }],
    ["delete a user's definition", 'DELETE', `${NADS}/wire`, undefined],
    ['make a definition of another name', 'POST', NADS, { ...generated, ...formatNad('other') }],
  ])('%s', async (_what, ...[method, path, body]) => {
    expect(await send(method, path, body)).toMatchObject({
      status: 422,
      text: expect.stringContaining('the operator may write only'),
    });
  });

  it('delete KubeVirt', async () => {
    expect(await send('DELETE', KUBEVIRT)).toMatchObject({ status: 403 });
  });
});
