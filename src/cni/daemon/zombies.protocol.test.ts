import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from './testing/processes.ts';

/** In a PID namespace of its own, with a /proc of its own, as in a container. */
const IN_CONTAINER = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];

test('what a killed plugin leaves to the first process of the container is reaped, and a child of Node is told of', async () => {
  const script = join(import.meta.dirname, 'testing/pid-one.ts');
  const output = await run([...IN_CONTAINER, process.execPath, script]);
  expect(JSON.parse(output)).toEqual({ parent: 1, before: 3, reaped: 3, after: 0, exit: 7 });
});
