import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectQmp, QmpError, type QmpEvent } from './qmp.ts';

type Command = { execute: string; id: number };
let dir: string;
let server: Server;
let peers: Socket[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'qmp-'));
  peers = [];
});
afterEach(() => {
  for (const peer of peers) peer.destroy();
  server.close();
  rmSync(dir, { recursive: true });
});

/** A monitor that answers as told; negotiation always succeeds. Messages are cut into single bytes. */
function serve(answer: (command: Command) => object | undefined): Promise<string> {
  const path = join(dir, 'qmp');
  server = createServer((socket) => {
    peers.push(socket);
    socket.write('{"QMP": {"version": {}, "capabilities": []}}\r\n');
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      for (const line of data.toString().trim().split('\n')) {
        const command = JSON.parse(line) as Command;
        const reply = command.execute === 'qmp_capabilities' ? { return: {} } : answer(command);
        if (reply !== undefined) {
          for (const byte of Buffer.from(`${JSON.stringify({ id: command.id, ...reply })}\r\n`))
            socket.write(Buffer.of(byte));
        }
      }
    });
  });
  return new Promise((resolve) => server.listen(path, () => resolve(path)));
}

describe('a monitor', () => {
  it('answers each command by its id', async () => {
    const qmp = await connectQmp(await serve(({ execute }) => ({ return: { asked: execute } })));
    const answers = await Promise.all([qmp.execute('one'), qmp.execute('two')]);
    expect(answers).toEqual([{ asked: 'one' }, { asked: 'two' }]);
    qmp.close();
  });

  it("keeps QEMU's class of a refusal", async () => {
    const qmp = await connectQmp(await serve(() => ({ error: { class: 'CommandNotFound', desc: 'no such' } })));
    const error = await qmp.execute('odd').catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(QmpError);
    expect(error).toMatchObject({ kind: 'CommandNotFound', message: 'no such' });
    qmp.close();
  });

  it('passes events on with their time', async () => {
    const qmp = await connectQmp(await serve(() => undefined));
    const heard = new Promise<QmpEvent>((resolve) => qmp.once('event', resolve));
    peers[0]?.write('{"event":"STOP","timestamp":{"seconds":2,"microseconds":500000}}\n');
    expect(await heard).toEqual({ event: 'STOP', data: {}, at: 2500 });
    qmp.close();
  });

  it('fails what waits when it closes', async () => {
    const qmp = await connectQmp(await serve(() => undefined));
    const asked = qmp.execute('query-status');
    peers[0]?.destroy();
    await expect(asked).rejects.toThrow(/monitor closed/);
    await expect(qmp.execute('again')).rejects.toThrow(/is closed/);
  });

  it('gives up on a silent command', async () => {
    const qmp = await connectQmp(await serve(() => undefined));
    await expect(qmp.execute('query-status', undefined, 30)).rejects.toThrow(/no answer in 30 ms/);
    qmp.close();
  });

  it('that never appears is an error and nothing worse', async () => {
    server = createServer();
    await expect(connectQmp(join(dir, 'none'), 60)).rejects.toThrow(/ENOENT/);
  });
});
