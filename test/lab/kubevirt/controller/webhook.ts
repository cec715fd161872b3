import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { formatListPath, type KubeObject } from '../../../../src/kube/index.ts';
import type { Client } from '../client.ts';
import { LABEL, POD, type Pod, VMI, VMIM, type Vmi, type Vmim } from '../objects.ts';
import { WEBHOOK_PATHS, WEBHOOK_PORT } from '../webhooks.ts';
import { judgeEviction, judgeMigration, type Refusal } from './judge.ts';

/** A request to an admission webhook (admission.k8s.io/v1), as far as it is read here. */
type Review = {
  request: { uid: string; namespace: string; name?: string; object?: KubeObject; dryRun?: boolean };
};

const LIMIT_BYTES = 2 ** 20;
const REASONS = { 400: 'BadRequest', 429: 'TooManyRequests' } as const;

/** Where to listen and with which certificate. */
export type WebhookOptions = { host: string; cert: string; key: string };

/**
 * Serves the two of virt-api's validating webhooks that matter to migrations. They ask the API server and not a cache,
 * as a migration that ended a moment ago must not stand in the way of the next.
 */
export async function serveWebhooks(client: Client, { host, cert, key }: WebhookOptions): Promise<void> {
  const server = createServer({ cert: await readFile(cert), key: await readFile(key) }, (request, response) => {
    answer(client, request, response).catch((err: unknown) => {
      client.log.error({ err, path: request.url }, 'webhook');
      response.writeHead(500).end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(WEBHOOK_PORT, host, resolve);
  });
}

async function answer(client: Client, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const review = JSON.parse(await readBody(request)) as Review;
  const judge = request.url?.startsWith(WEBHOOK_PATHS.eviction) ? onEviction : onMigration;
  const refusal = await judge(client, review.request);
  client.log.info({ path: request.url, name: review.request.name, refused: refusal?.message }, 'admission');
  const status = refusal && { code: refusal.code, reason: REASONS[refusal.code], message: refusal.message };
  const verdict = { uid: review.request.uid, allowed: refusal === undefined, ...(status && { status }) };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: verdict }));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > LIMIT_BYTES) throw new Error('the review is too long');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

async function onEviction(client: Client, { namespace, name = '', dryRun }: Review['request']) {
  const pod = await client.resource<Pod & KubeObject>(POD).find({ namespace, name });
  if (pod?.metadata.labels?.[LABEL.app] !== 'virt-launcher') return undefined;
  const vmis = client.resource<Vmi & KubeObject>(VMI);
  const ref = { namespace, name: pod.metadata.annotations?.['kubevirt.io/domain'] ?? '' };
  const refusal: Refusal | undefined = judgeEviction(pod, await vmis.find(ref));
  if (refusal?.evacuate && dryRun !== true) {
    await vmis.patch(ref, { status: { evacuationNodeName: pod.spec.nodeName } });
  }
  return refusal;
}

async function onMigration(client: Client, { namespace, object }: Review['request']) {
  const path = formatListPath(VMIM, namespace);
  const list = (await client.transport.request({ method: 'GET', path })) as { items: Vmim[] };
  return judgeMigration(object as Vmim, list.items);
}
