import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatRequest, parseAnswer, runInGuest, wasTaken } from './console.ts';

describe('a request', () => {
  it('carries the command so that no terminal can change it, and its length', () => {
    const line = formatRequest('ab', 'echo "$HOME"\n', 1500);
    const [verb, id, seconds, length, code] = line.trimEnd().split(' ');
    expect([verb, id, seconds]).toEqual(['run', 'ab', '2']);
    expect(code?.length).toBe(Number(length));
    expect(Buffer.from(code ?? '', 'base64').toString()).toBe('echo "$HOME"\n');
  });

  it('must fit into a terminal line', () => {
    expect(() => formatRequest('ab', 'x'.repeat(3000), 1000)).toThrow(/too long/);
  });
});

describe('an answer', () => {
  const whole = 'noise\n@got ab\n@begin ab\none\ntwo\n\n@end ab 3\n';

  it('is what stands between its marks', () => {
    expect(parseAnswer('ab', whole)).toEqual({ output: 'one\ntwo\n', code: 3 });
    expect(wasTaken('ab', whole)).toBe(true);
  });

  it('may be empty', () => expect(parseAnswer('ab', '@begin ab\n\n@end ab 0\n')).toEqual({ output: '', code: 0 }));

  it('is not there before its end, nor under another id', () => {
    for (let length = 0; length < whole.length; length += 1) {
      expect(parseAnswer('ab', whole.slice(0, length))).toBeUndefined();
    }
    expect(parseAnswer('cd', whole)).toBeUndefined();
  });
});

describe('a console', () => {
  let dir: string;
  let server: Server;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'con-'));
  });
  afterEach(() => {
    server.close();
    rmSync(dir, { recursive: true });
  });

  const serve = (answer: (socket: Socket, id: string, count: number) => void): Promise<string> => {
    const path = join(dir, 'con');
    let count = 0;
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (data) => {
        for (const [, id = ''] of data.toString().matchAll(/run (\w+) /g)) {
          count += 1;
          answer(socket, id, count);
        }
      });
    });
    return new Promise((resolve) => server.listen(path, () => resolve(path)));
  };

  it('is asked again until the guest takes the request', async () => {
    const path = await serve((socket, id, count) => {
      if (count === 2) socket.write(`@got ${id}\n@begin ${id}\nyes\n@end ${id} 0\n`);
    });
    expect(await runInGuest(path, 'true', 5000)).toEqual({ output: 'yes', code: 0 });
  });

  it('that closes is an error that names the command', async () => {
    const path = await serve((socket) => socket.destroy());
    await expect(runInGuest(path, 'sleep 1', 5000)).rejects.toThrow(/"sleep 1": closed/);
  });

  it('that is not there is an error', async () => {
    server = createServer();
    await expect(runInGuest(join(dir, 'none'), 'true', 1000)).rejects.toThrow(/ENOENT/);
  });
});
