import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

/** What a command in the guest printed (both streams) and its exit code; 137 when it ran into its time limit. */
export type GuestAnswer = { output: string; code: number };

const LINE_LIMIT = 4000;
const REPEAT_MS = 300;

/**
 * The line that the guest's agent (rootfs/agent) reads: "run ID SECONDS LENGTH BASE64". Throws when it would not fit into the guest's
 * terminal line (4095 bytes in canonical mode, termios(3)).
 */
export function formatRequest(id: string, command: string, timeoutMs: number): string {
  const seconds = Math.max(1, Math.ceil(timeoutMs / 1000));
  const code = Buffer.from(command).toString('base64');
  const line = `run ${id} ${seconds} ${code.length} ${code}\n`;
  if (line.length > LINE_LIMIT) throw new Error(`command is too long for the console: ${command.length} bytes`);
  return line;
}

/** The answer to request `id` in what the console printed so far, or undefined while it is not complete. */
export function parseAnswer(id: string, text: string): GuestAnswer | undefined {
  const begin = `@begin ${id}\n`;
  const start = text.indexOf(begin);
  if (start < 0) return undefined;
  const body = text.slice(start + begin.length);
  const end = new RegExp(`\\n@end ${id} (\\d+)\\n`).exec(body);
  return end === null ? undefined : { output: body.slice(0, end.index), code: Number(end[1]) };
}

/** True once the guest said that it has taken request `id`. */
export function wasTaken(id: string, text: string): boolean {
  return text.includes(`@got ${id}\n`);
}

/**
 * Runs a shell command in the guest behind a serial console socket and waits for its end. One caller at a time per
 * console: QEMU serves a second connection only after the first has gone. The request is repeated until the guest has
 * taken it, so it may be sent to a guest that still boots. Throws when there is no answer in `timeoutMs`, or when the
 * console closes, which happens when the guest moves to another node while the command runs.
 */
export async function runInGuest(socketPath: string, command: string, timeoutMs = 10_000): Promise<GuestAnswer> {
  const id = randomBytes(6).toString('hex');
  const request = formatRequest(id, command, timeoutMs);
  const { promise, resolve, reject } = Promise.withResolvers<GuestAnswer>();
  const socket = connect(socketPath);
  let text = '';
  const send = (): boolean => !wasTaken(id, text) && socket.writable && socket.write(`\n${request}`);
  const repeat = setInterval(send, REPEAT_MS);
  const limit = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs + 500);
  socket.setEncoding('latin1');
  socket.on('connect', send);
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('closed')));
  socket.on('data', (chunk: string) => {
    text += chunk;
    const answer = parseAnswer(id, text);
    if (answer !== undefined) resolve({ ...answer, output: Buffer.from(answer.output, 'latin1').toString('utf8') });
  });
  try {
    return await promise;
  } catch (error) {
    throw new Error(`guest console ${socketPath}: "${command}": ${error instanceof Error ? error.message : error}`);
  } finally {
    clearInterval(repeat);
    clearTimeout(limit);
    socket.destroy();
  }
}
