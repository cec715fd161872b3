import { createClient } from '../client.ts';
import { startController } from './run.ts';
import { serveWebhooks } from './webhook.ts';

const [kubeconfig, image, host, cert, key] = process.argv.slice(2);
if (kubeconfig === undefined || image === undefined) throw new Error('usage: main.ts KUBECONFIG IMAGE [HOST CERT KEY]');
const client = await createClient(kubeconfig, 'virt-controller');
if (host !== undefined && cert !== undefined && key !== undefined) await serveWebhooks(client, { host, cert, key });
await startController(client, image);
client.log.info({}, 'the controller half runs');
