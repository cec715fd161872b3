import { loadState } from '../../state.ts';
import { createClient } from '../client.ts';
import { startHandlers } from './run.ts';

const [dir, kubeconfig] = process.argv.slice(2);
if (dir === undefined || kubeconfig === undefined) throw new Error('usage: main.ts LAB_DIR KUBECONFIG');
const client = await createClient(kubeconfig, 'virt-handler');
await startHandlers(client, loadState(dir));
client.log.info({}, 'the node half runs');
