import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureObject, type KubeObject, type ResourceKind } from '../../../src/kube/index.ts';
import { issueCertificate } from '../pki.ts';
import type { LabState } from '../state.ts';
import type { Client } from './client.ts';

/** Beside the API server, on the same address. */
export const WEBHOOK_PORT = 6444;
export const WEBHOOK_PATHS = { eviction: '/launcher-eviction-validate', migration: '/migration-validate-create' };

const FILE = 'kubevirt-webhooks';
const CONFIGURATION: ResourceKind = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'validatingwebhookconfigurations',
  namespaced: false,
  kind: 'ValidatingWebhookConfiguration',
};

/** Certificate and key of the webhooks, as paths. */
export type WebhookKeys = { cert: string; key: string };

/**
 * Makes the API server ask the controller half before a pod is evicted or a migration made, as it asks virt-api. While
 * nobody serves the webhooks everything is let in.
 */
export async function installWebhooks(client: Client, lab: LabState): Promise<WebhookKeys> {
  const { host } = lab.apiserver;
  const request = { file: FILE, commonName: 'virt-api', organization: 'lab', names: [`IP:${host}`] };
  await issueCertificate(lab.pki.dir, request);
  const ca = (await readFile(lab.pki.ca)).toString('base64');
  const format = (name: string, path: string, rule: object) => ({
    name,
    clientConfig: { url: `https://${host}:${WEBHOOK_PORT}${path}`, caBundle: ca },
    rules: [{ operations: ['CREATE'], ...rule }],
    failurePolicy: 'Ignore',
    sideEffects: 'NoneOnDryRun',
    // The machine's cores are shared with guests: what is answered late must not be let in for that.
    timeoutSeconds: 30,
    admissionReviewVersions: ['v1'],
  });
  const evictions = { apiGroups: [''], apiVersions: ['v1'], resources: ['pods/eviction'] };
  const migrations = {
    apiGroups: ['kubevirt.io'],
    apiVersions: ['v1'],
    resources: ['virtualmachineinstancemigrations'],
  };
  const webhooks = [
    format('virt-launcher-eviction-interceptor.kubevirt.io', WEBHOOK_PATHS.eviction, evictions),
    format('migration-create-validator.kubevirt.io', WEBHOOK_PATHS.migration, migrations),
  ];
  await ensureObject(client.resource<KubeObject>(CONFIGURATION), {
    metadata: { name: 'virt-api-validator' },
    webhooks,
  } as KubeObject);
  return { cert: join(lab.pki.dir, `${FILE}.crt`), key: join(lab.pki.dir, `${FILE}.key`) };
}
