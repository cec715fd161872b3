import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { makeTempDir } from '../ovsdb/server.ts';

/** Stands between a client and a server and cuts the line at a chosen moment. */
export type Cutter = AsyncDisposable & {
  readonly socket: string;
  /** How often it has cut. */
  readonly cuts: number;
  /**
   * Cuts once, at the next request that holds `text`: `before` the server gets it, or `after` the server has answered it and
   * before the client gets the answer.
   */
  cutOnce(when: 'before' | 'after', text: string): void;
};

/** Starts it in front of the server's unix socket. */
export async function startCutter(target: string): Promise<Cutter> {
  const dir = makeTempDir();
  const socket = join(dir.path, 'cut.sock');
  const state: State = { wish: undefined, cuts: 0, open: new Set() };
  const server = net.createServer((client) => splice(client, net.connect(target), state));
  server.listen(socket);
  await once(server, 'listening');
  return {
    socket,
    get cuts() {
      return state.cuts;
    },
    cutOnce: (when, text) => {
      state.wish = { when, text };
    },
    [Symbol.asyncDispose]: async () => {
      for (const line of state.open) line.destroy();
      server.close();
      await once(server, 'close');
      dir.remove();
    },
  };
}

type State = {
  wish: { readonly when: 'before' | 'after'; readonly text: string } | undefined;
  cuts: number;
  readonly open: Set<net.Socket>;
};

function splice(client: net.Socket, upstream: net.Socket, state: State): void {
  let cutting = false;
  const end = (): void => {
    client.destroy();
    upstream.destroy();
  };
  const cut = (): void => {
    state.cuts++;
    end();
  };
  for (const line of [client, upstream]) {
    state.open.add(line);
    line.on('error', end);
    line.on('close', () => {
      state.open.delete(line);
      end();
    });
  }
  client.on('data', (data) => {
    const wish = state.wish;
    if (wish === undefined || !data.includes('"transact"') || !data.includes(wish.text))
      return void upstream.write(data);
    state.wish = undefined;
    if (wish.when === 'before') return cut();
    cutting = true;
    upstream.write(data);
  });
  upstream.on('data', (data) => {
    if (!cutting) client.write(data);
    else if (data.includes('"result"')) cut();
  });
}
