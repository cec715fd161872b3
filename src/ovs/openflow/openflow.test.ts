import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FIELD, formatHello, type Message, splitMessages, TYPE } from './messages.ts';
import { createOpenFlow, OpenFlowError } from './openflow.ts';

/** What a switch sends for each message that it gets. */
type Play = (message: Message, socket: Socket) => Buffer | undefined;

let folder: string;
let server: Server;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'openflow-'));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

async function play(act: Play): Promise<{ path: string; seen: Message[] }> {
  const path = join(folder, 'br.mgmt');
  const seen: Message[] = [];
  server = createServer((socket) => {
    let rest: Buffer = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      const cut = splitMessages(Buffer.concat([rest, chunk]));
      rest = cut.rest;
      for (const message of cut.messages) {
        seen.push(message);
        const answer = act(message, socket);
        if (answer !== undefined) socket.write(answer);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { path, seen };
}

const reply = (type: number, xid: number, body = '') => {
  const bytes = Buffer.from(body, 'hex');
  const header = Buffer.from([4, type, (8 + bytes.length) >> 8, (8 + bytes.length) & 255, 0, 0, 0, xid]);
  return Buffer.concat([header, bytes]);
};
const FLOW = `0038${'00'.repeat(10)}0050${'00'.repeat(10)}${'0000000000000001'}${'0000000000000003'}${'00'.repeat(8)}0001000400000000`;
const flows = (xid: number, flags: string, ...list: string[]) =>
  reply(TYPE.multipartReply, xid, `0001${flags}00000000${list.join('')}`);
const willing: Play = ({ type, xid }) => {
  if (type === TYPE.hello) return formatHello();
  if (type === TYPE.barrierRequest) return reply(TYPE.barrierReply, xid);
  if (type !== TYPE.multipartRequest) return undefined;
  return xid === 1 ? Buffer.concat([flows(1, '0001', FLOW), flows(1, '0000', FLOW)]) : flows(xid, '0000');
};
const hangUp: Play = (_message, socket) => {
  socket.destroy();
  return undefined;
};
const never = new AbortController().signal;

describe('flows of a switch', () => {
  it('each question has its own answers, of as many parts as it takes', async () => {
    const { path } = await play(willing);
    const [first, second] = await createOpenFlow({ path }).listFlows([{ table: 0 }, { table: 1 }], never);
    expect(first).toHaveLength(2);
    expect(first?.[0]).toEqual({ table: 0, priority: 80, cookie: 1n, packets: 3n, match: new Map() });
    expect(second).toEqual([]);
  });

  it('changes are sent in their order, and done when the switch says so', async () => {
    const { path, seen } = await play(willing);
    const change = { table: 0, priority: 1, cookie: 5n, match: new Map([[FIELD.inPort, 1n]]) };
    await createOpenFlow({ path }).change(
      [
        { do: 'delete', ...change },
        { do: 'add', ...change },
      ],
      never,
    );
    expect(seen.map(({ type }) => type)).toEqual([TYPE.hello, TYPE.flowMod, TYPE.flowMod, TYPE.barrierRequest]);
  });

  it('a switch that is asked for nothing is left alone', async () => {
    const { path, seen } = await play(willing);
    expect(await createOpenFlow({ path }).listFlows([], never)).toEqual([]);
    await createOpenFlow({ path }).change([], never);
    expect(seen).toEqual([]);
  });

  it('a switch that wants a sign of life gets it', async () => {
    let alive = false;
    const { path } = await play((message, socket) => {
      if (message.type === TYPE.echoReply) {
        alive = true;
        return reply(TYPE.barrierReply, 2);
      }
      if (message.type === TYPE.barrierRequest) return reply(TYPE.echoRequest, 77, '0102');
      return willing(message, socket);
    });
    await createOpenFlow({ path }).listFlows([{ table: 0 }], never);
    expect(alive).toBe(true);
  });

  it.each<[string, Play, string]>([
    ['speaks another version', () => reply(TYPE.error, 0, '00000000'), 'does not speak OpenFlow 1.3'],
    ['refuses a message', ({ xid }) => (xid === 1 ? reply(TYPE.error, 1, '00050003') : undefined), 'error 5/3'],
    ['says what nobody understands', () => Buffer.from('0400000000000000', 'hex'), 'a message of 0 bytes'],
    [
      'answers with half a flow',
      (message, socket) =>
        message.type === TYPE.multipartRequest ? flows(1, '0000', '0038') : willing(message, socket),
      'a flow of 56 bytes',
    ],
    ['hangs up', hangUp, 'closed'],
    ['never answers', () => undefined, 'timeout'],
  ])('one that %s is an error', async (_cause, act, words) => {
    const { path } = await play(act);
    const asked = createOpenFlow({ path, timeoutMs: 300 }).listFlows([{ table: 0 }], never);
    const error: unknown = await asked.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(OpenFlowError);
    expect(String(error)).toContain(words);
  });

  it('one that is not there is an error, and a caller that has gone needs no answer', async () => {
    const { path } = await play(() => undefined);
    const missing = createOpenFlow({ path: `${path}x` }).listFlows([{ table: 0 }], never);
    await expect(missing).rejects.toThrow('ENOENT');
    const gone = createOpenFlow({ path }).listFlows([{ table: 0 }], AbortSignal.abort(new Error('gone')));
    await expect(gone).rejects.toThrow('gone');
  });
});
