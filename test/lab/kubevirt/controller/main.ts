import { createClient } from '../client.ts';
import { startController } from './run.ts';

const [kubeconfig, image] = process.argv.slice(2);
if (kubeconfig === undefined || image === undefined) throw new Error('usage: main.ts KUBECONFIG IMAGE');
const client = await createClient(kubeconfig, 'virt-controller');
await startController(client, image);
client.log.info({}, 'the controller half runs');
