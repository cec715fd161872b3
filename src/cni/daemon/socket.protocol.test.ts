import { chmod, mkdir, readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeRandom } from '../../plan/wishes/testing/mutate.ts';
import { formatRequest, LIMITS, parseAnswer, type WireAnswer } from '../protocol.ts';
import { codeOf, messageOf } from './testing/answers.ts';
import { attach, berth, eventually, listHostEnds, listOvsPorts, prepareSubnet } from './testing/berths.ts';
import { startTestNode, type TestNode, type TestPod } from './testing/node.ts';
import { run } from './testing/processes.ts';

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
  // As open as /run of a host: what keeps strangers out must be the agent's own.
  await chmod(node.folder, 0o755);
  await mkdir(join(node.folder, 'run'), { mode: 0o777 });
  await chmod(join(node.folder, 'run'), 0o777);
  await prepareSubnet(node);
  await node.startAgent('--reap-seconds', '600');
});
afterAll(() => node.stop());

const socketPath = () => join(node.folder, 'run/cni.sock');

/** What the agent says to these bytes; nothing when it only closes. */
function send(bytes: Uint8Array): Promise<WireAnswer | undefined> {
  const socket = connect(socketPath());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
  socket.on('error', () => undefined);
  socket.write(bytes);
  return new Promise((resolve) => socket.once('close', () => resolve(parseAnswer(Buffer.concat(chunks)))));
}
const codeIn = (answer: WireAnswer | undefined): number =>
  answer === undefined ? 0 : (JSON.parse(answer.output) as { code: number }).code;

/** An ordinary pod is served, and its traces are gone. */
async function expectService(name: string, index: number): Promise<void> {
  const { pod, outcome } = await attach(node, name, index);
  expect(outcome).toMatchObject({ exit: 0 });
  expect(await node.cni({ command: 'DEL', pod })).toMatchObject({ exit: 0 });
}

describe('the agent’s socket', () => {
  test('F58 is for root alone: nobody gets as far as a question, and root does', async () => {
    expect((await stat(join(node.folder, 'run'))).mode & 0o777).toBe(0o700);
    expect((await stat(socketPath())).mode & 0o777).toBe(0o600);
    const shim = join(node.folder, 'mooring-cni');
    const script = `"$@" <<E || true\n{"cniVersion":"1.1.0","name":"mooring","type":"mooring"}\nE`;
    const ask = async (...as: string[]): Promise<string> =>
      messageOf({ output: await run(['sh', '-c', script, 'sh', ...as, shim], { CNI_COMMAND: 'STATUS' }) });
    const refusal = `does not answer at ${socketPath()} (Permission denied)`;
    expect(await ask('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups')).toContain(refusal);
    expect(await ask('setpriv', '--reuid=0')).not.toContain('does not answer');
  });

  test('F58 answers garbage with a refusal, whatever it is, and serves on', async () => {
    const good = formatRequest({ env: new Map([['CNI_COMMAND', 'ADD']]), stdin: '{}' }).toString('latin1');
    const texts = [
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      '\0'.repeat(100),
      good.replace('MOORING_SHIM=1', 'MOORING_SHIM=9'),
      good.replace('MOORING_STDIN=2', 'MOORING_STDIN=1'),
      good.replace('MOORING_STDIN=2', 'MOORING_STDIN=99999999'),
      good.replace('MOORING_STDIN=2', 'MOORING_STDIN=-2'),
      good.replace('CNI_COMMAND=ADD', 'CNI_COMMAND=ADD\0CNI_COMMAND=DEL'),
      good.replace('CNI_COMMAND=ADD', '=x'),
      good.replace('CNI_COMMAND=ADD', 'CNI_COMMAND=RUN'),
      `MOORING_SHIM=1\0A=${'a'.repeat(LIMITS.headerBytes)}`,
      `${good.replace('MOORING_STDIN=2', `MOORING_STDIN=${LIMITS.bytes}`)}${'x'.repeat(LIMITS.bytes)}`,
    ];
    for (const text of texts) {
      const answer = await send(Buffer.from(text, 'latin1'));
      expect([text.slice(0, 60), answer?.status]).toEqual([text.slice(0, 60), 1]);
      expect([4, 6, 106]).toContain(codeIn(answer));
    }
    await expectService('after-garbage', 61);
  });

  test.each([1, 2, 3])('F58 seed %i: random bytes, with and without a good beginning, leave it whole', async (seed) => {
    const next = makeRandom(seed);
    const random = (below: number) => Math.floor(next() * below);
    const start = 'MOORING_SHIM=1\0MOORING_STDIN=';
    const pieces = Array.from({ length: 40 }, () => {
      const bytes = Buffer.from(Array.from({ length: 1 + random(2000) }, () => random(256)));
      return random(2) === 0 ? bytes : Buffer.concat([Buffer.from(start), bytes]);
    });
    // What could still become a request is ended by its time limit; nobody has to wait for that here.
    void Promise.all(pieces.map(send));
    await expectService(`after-${seed}`, 62 + seed);
    const unexpected = (await node.readLog()).filter(({ msg }) => msg === 'a call has failed unexpectedly');
    expect(unexpected).toEqual([]);
  });

  test('F58 callers that never finish keep nobody back, and are cut off', async () => {
    const half = formatRequest({ env: new Map([['CNI_COMMAND', 'ADD']]), stdin: '{}' }).subarray(0, 20);
    const slow = Array.from({ length: 100 }, () => send(half));
    await expectService('beside-slow-ones', 66);
    const answers = await Promise.all(slow);
    expect(new Set(answers.map(codeIn))).toEqual(new Set([6]));
  });
});

describe('names in a call', () => {
  /** Every file of the node but the log. */
  const listFiles = async () =>
    (await run(['find', node.folder, '-not', '-name', 'agent.log', '-not', '-path', '*/ovn/*'])).split('\n').sort();
  let before: string[];
  let pod: TestPod;
  beforeAll(async () => {
    ({ pod } = await berth(node, await node.addPod('hostile'), 67));
    before = await listFiles();
  });
  afterEach(async () => {
    expect(await listOvsPorts(node)).toEqual([]);
    expect(await listHostEnds(node)).toEqual([]);
    expect(await listFiles()).toEqual(before);
    await expect(readFile('/tmp/mooring-owned')).rejects.toMatchObject({ code: 'ENOENT' });
  });
  const args = (change: Record<string, string>) =>
    Object.entries({ K8S_POD_NAMESPACE: 'default', K8S_POD_NAME: pod.name, K8S_POD_UID: pod.uid, ...change })
      .map(([key, value]) => `${key}=${value}`)
      .join(';');

  const KEYS: [string, Record<string, string>][] = [
    ['a container id that is a path', { CNI_CONTAINERID: '../../../tmp/mooring-owned' }],
    ['a container id that is a command', { CNI_CONTAINERID: '$(touch /tmp/mooring-owned)' }],
    ['a container id of two lines', { CNI_CONTAINERID: 'a\nb' }],
    ['no container id', { CNI_CONTAINERID: '' }],
    ['an interface that is a path', { CNI_IFNAME: '../x' }],
    ['an interface that is the folder', { CNI_IFNAME: '..' }],
    ['an interface of two words', { CNI_IFNAME: 'a b' }],
    ['an interface of two lines', { CNI_IFNAME: 'eth0\n' }],
    ['an interface with a format', { CNI_IFNAME: 'eth%d' }],
    ['an interface with an alias', { CNI_IFNAME: 'eth0:1' }],
    ['an interface of 16 bytes', { CNI_IFNAME: 'abcdefghijklmnop' }],
    ['an interface of few letters and 16 bytes', { CNI_IFNAME: 'ääääääää' }],
  ];
  test.each(KEYS)('F59 %s: ADD, CHECK and DEL refuse it', async (_cause, env) => {
    for (const command of ['ADD', 'CHECK', 'DEL']) {
      expect([command, codeOf(await node.cni({ command, pod, env }))]).toEqual([command, 4]);
    }
  });

  test.each<[string, () => Record<string, string>]>([
    ['a namespace file of the host', () => ({ CNI_NETNS: '/run/netns/../../proc/1/ns/net' })],
    ['a relative namespace file', () => ({ CNI_NETNS: 'run/netns/x' })],
    ['a pod that is a path', () => ({ CNI_ARGS: args({ K8S_POD_NAME: '../../x' }) })],
    ['a namespace that is a path', () => ({ CNI_ARGS: args({ K8S_POD_NAMESPACE: '../kube-system' }) })],
    ['a UID that is a path', () => ({ CNI_ARGS: args({ K8S_POD_UID: '../x' }) })],
    ['a UID that comes twice', () => ({ CNI_ARGS: `${args({})};K8S_POD_UID=other` })],
    ['arguments that are no list', () => ({ CNI_ARGS: `${args({})};a=b=c` })],
  ])('F59 %s: ADD refuses it', async (_cause, env) => {
    expect(codeOf(await node.cni({ command: 'ADD', pod, env: env() }))).toBe(4);
  });

  test.each<[string, object]>([
    ['a network that is a path', { name: '../../x', type: 'mooring' }],
    ['a network that is a command', { name: '`id`', type: 'mooring' }],
    ['a type that is a path', { name: 'mooring', type: '../../bin/sh' }],
    ['no type', { name: 'mooring' }],
  ])('F59 %s: ADD refuses it', async (_cause, change) => {
    expect(codeOf(await node.cni({ command: 'ADD', pod, config: { cniVersion: '1.0.0', ...change } }))).toBe(7);
  });

  test('F59 keys that every object inherits are names like others, and give nothing', async () => {
    const text =
      '{"cniVersion":"1.0.0","name":"mooring","type":"mooring","__proto__":{"type":"sh"},"constructor":{"x":1}}';
    const config = JSON.parse(text) as object;
    const env = { CNI_ARGS: `${args({})};__proto__=x;constructor=y;toString=z` };
    expect(await node.cni({ command: 'ADD', pod, env, config })).toMatchObject({ exit: 0 });
    expect(await node.cni({ command: 'DEL', pod, env, config })).toMatchObject({ exit: 0 });
  });

  test('F59 an interface that a shell would run is waited for by its name and nothing else', async () => {
    const names = ['a;reboot', '$(id)', '`id`', '|id', '-rf'];
    const outcomes = await Promise.all(
      names.map((ifname, index) => node.cni({ command: 'ADD', pod: { ...pod, containerId: `c${index}` }, ifname })),
    );
    // The API has no LogicalPort with an interface of that name.
    expect(outcomes.map(codeOf)).toEqual(names.map(() => 11));
    await eventually('nothing waits', async () => (await listOvsPorts(node)).length === 0);
  });
});
