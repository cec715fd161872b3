import { expect, test } from 'vitest';
import type { Pod } from './cluster.ts';
import { type HostPortsSettings, tellHostPorts } from './host-ports.ts';
import type { AttachRequest } from './request.ts';
import { createFakeWorld, REQUEST } from './testing/fake-context.ts';

const PORTS = [
  { containerPort: 80, hostPort: 8080 },
  { containerPort: 53, hostPort: 53, protocol: 'UDP' },
];
const settings: HostPortsSettings = { binDir: '/nowhere' };

async function notesFor(spec: object, request: Partial<AttachRequest> = {}, options = settings): Promise<string[]> {
  const world = createFakeWorld();
  const metadata = { namespace: 'shop', name: 'web', uid: 'u1' };
  world.pods.set('shop/web', { metadata, spec } as Pod);
  await tellHostPorts(world.context, options, { ...REQUEST, ...request });
  return world.events.map(({ reason, note }) => `${reason}: ${note}`);
}

test('a pod whose hostPort nobody serves is told, with the value that changes it', async () => {
  expect(await notesFor({ containers: [{ ports: PORTS }] })).toEqual([
    'HostPortIgnored: hostPort 8080/TCP, 53/UDP does nothing: set the chart value agent.hostPorts, with the plugin portmap in /nowhere',
  ]);
});

test('a sidecar among the init containers counts', async () => {
  expect(await notesFor({ containers: [{}], initContainers: [{ ports: PORTS }] })).toHaveLength(1);
});

test('where it was switched on, what is missing is the plugin', async () => {
  const [note] = await notesFor({ containers: [{ ports: PORTS }] }, {}, { ...settings, hostPorts: true });
  expect(note).toContain('the plugin portmap is not in /nowhere of this node');
});

test.each<[string, object, Partial<AttachRequest>]>([
  ['a pod without hostPort', { containers: [{ ports: [{ containerPort: 80 }] }] }, {}],
  ['a pod of which nothing is known', {}, {}],
  ['another interface of the pod', { containers: [{ ports: PORTS }] }, { ifname: 'net1' }],
  ["a list of the user's own", { containers: [{ ports: PORTS }] }, { config: { ...REQUEST.config, name: 'mine' } }],
])('%s is told nothing', async (_cause, spec, request) => {
  expect(await notesFor(spec, request)).toEqual([]);
});
