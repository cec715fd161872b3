import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRecordingLogger } from '../../../kube/testing/recording-logger.ts';
import { createNetnsWorker } from '../../../netlink/worker.ts';
import { createZombieReaper, listZombies } from '../zombies.ts';

/** Runs as the first process of a PID namespace, as the agent does, and prints what became of orphans and children. */
const parent = process.pid;
const links = createNetnsWorker();
const reaper = createZombieReaper({ links, log: createRecordingLogger(), parent });
const countZombies = async (): Promise<number> => (await listZombies('/proc', parent)).length;

/** A plugin that starts three processes and is gone before they end. */
async function leaveOrphans(): Promise<void> {
  const plugin = spawn('sh', ['-c', 'for i in 1 2 3; do sleep 0.1 & done'], { stdio: 'ignore' });
  await once(plugin, 'exit');
  while ((await countZombies()) < 3) await new Promise((resolve) => setTimeout(resolve, 10));
}

await leaveOrphans();
const before = await countZombies();
// A child of Node's own that ends while rounds go on: it must be told of the end as ever.
const own = spawn('sh', ['-c', 'sleep 0.2; exit 7'], { stdio: 'ignore' });
const ended = once(own, 'exit');
let isOver = false;
void ended.then(() => {
  isOver = true;
});
let reaped = 0;
while (!isOver) reaped += await reaper.round();
const [exit] = (await ended) as [number];
console.log(JSON.stringify({ parent, before, reaped, after: await countZombies(), exit }));
await links.stop();
