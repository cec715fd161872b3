import { connect } from 'node:net';
import {
  type Flow,
  type FlowChange,
  type FlowRequest,
  formatBarrier,
  formatEchoReply,
  formatFlowChange,
  formatFlowRequest,
  formatHello,
  type Message,
  OPENFLOW_13,
  parseFlows,
  splitMessages,
  TYPE,
} from './messages.ts';

/** The switch could not be asked, or said no; a later try may do. */
export class OpenFlowError extends Error {
  override readonly name = 'OpenFlowError';
}

/** The flows of one bridge. Every call is a connection of its own: nothing has to be kept up, nothing is cut off half-way. */
export type OpenFlow = {
  /** The flows that each request asks for, in its order. Throws OpenFlowError. */
  listFlows(requests: readonly FlowRequest[], signal: AbortSignal): Promise<Flow[][]>;
  /** Adds and deletes in this order; done when it resolves. Throws OpenFlowError. */
  change(changes: readonly FlowChange[], signal: AbortSignal): Promise<void>;
};

export type OpenFlowOptions = {
  /** The bridge's management socket, `<name>.mgmt` in the run directory of ovs-vswitchd(8). */
  readonly path: string;
  /** Milliseconds for one call (5000). */
  readonly timeoutMs?: number;
};

const TIMEOUT_MS = 5000;
/** A node's flows are a few megabytes; more than this is not read. */
const MAX_BYTES = 256 * 1024 * 1024;

export function createOpenFlow({ path, timeoutMs = TIMEOUT_MS }: OpenFlowOptions): OpenFlow {
  const ask = (requests: readonly Buffer[], signal: AbortSignal) =>
    converse(path, requests, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
  return {
    listFlows: async (requests, signal) => {
      if (requests.length === 0) return [];
      const answers = await ask(
        requests.map((request, index) => formatFlowRequest(index + 1, request)),
        signal,
      );
      return requests.map((_, index) =>
        answers.filter(({ xid }) => xid === index + 1).flatMap((answer) => parse(() => parseFlows(answer).flows)),
      );
    },
    change: async (changes, signal) => {
      if (changes.length === 0) return;
      await ask(
        changes.map((change, index) => formatFlowChange(index + 1, change)),
        signal,
      );
    },
  };
}

/** Sends all, and gives what came back until the switch had done all of it (a barrier at the end). */
function converse(path: string, requests: readonly Buffer[], signal: AbortSignal): Promise<Message[]> {
  return new Promise((resolve, reject) => {
    const last = requests.length + 1;
    const socket = connect({ path });
    const answers: Message[] = [];
    let rest: Buffer = Buffer.alloc(0);
    let size = 0;
    const stop = (error?: unknown) => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      if (error === undefined) resolve(answers);
      else reject(error instanceof OpenFlowError ? error : new OpenFlowError(describe(error), { cause: error }));
    };
    const abort = () => stop(signal.reason);
    const take = (message: Message): boolean => {
      if (message.type === TYPE.echoRequest) socket.write(formatEchoReply(message));
      if (message.type === TYPE.error) throw new OpenFlowError(describeRefusal(message));
      if (message.type === TYPE.multipartReply) answers.push(message);
      return message.type === TYPE.barrierReply && message.xid === last;
    };
    socket.on('error', stop);
    socket.on('close', () => stop(new OpenFlowError(`${path} was closed`)));
    socket.on('data', (chunk) => {
      try {
        size += chunk.length;
        if (size > MAX_BYTES) throw new OpenFlowError(`more than ${MAX_BYTES} bytes`);
        const cut = splitMessages(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]));
        rest = cut.rest;
        if (cut.messages.some(take)) stop();
      } catch (error) {
        stop(error);
      }
    });
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    else socket.write(Buffer.concat([formatHello(), ...requests, formatBarrier(last)]));
  });
}

function parse<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new OpenFlowError(describe(error), { cause: error });
  }
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** OpenFlow 1.3.5, section 7.4.4. */
function describeRefusal({ xid, body }: Message): string {
  const [type, code] = body.length < 4 ? [-1, -1] : [body.readUInt16BE(0), body.readUInt16BE(2)];
  if (type === 0) return `the switch does not speak OpenFlow 1.3 (version ${OPENFLOW_13})`;
  return `the switch refuses message ${xid}: error ${type}/${code}`;
}
