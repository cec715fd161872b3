import { decodeMessages, encodeMessage, type Message, parseAcknowledgement } from './codec.ts';
import { NLM, NLMSG } from './constants.ts';
import type { Transport } from './socket.ts';

export type BatchRequest = { type: number; flags?: number; payload: Uint8Array };
/** `errno` 0 is success; `message` is the object that a get was answered with. */
export type BatchAnswer = { errno: number; message?: Message };

const SIZE = 64;

/**
 * Sends requests many to a datagram and returns their answers in order. The kernel answers failures and gets by themselves,
 * and acknowledges the last of a datagram only as we ask it for: 64 requests that go well cost two system calls, not 128.
 * Throws NetlinkError (EAGAIN when the kernel stays silent, ENOBUFS when it lost answers).
 */
export function requestBatch(transport: Transport, requests: readonly BatchRequest[]): BatchAnswer[] {
  const answers: BatchAnswer[] = requests.map(() => ({ errno: 0 }));
  for (let from = 0; from < requests.length; from += SIZE) {
    const to = Math.min(from + SIZE, requests.length);
    transport.send(Buffer.concat(requests.slice(from, to).map((request, at) => encode(request, from + at, to - 1))));
    while (!receiveAnswers(transport, answers, to));
  }
  return answers;
}

/** Notes the answers of one datagram; true when the acknowledgement of request number `last` (from 1) was among them. */
function receiveAnswers(transport: Transport, answers: readonly BatchAnswer[], last: number): boolean {
  const messages = decodeMessages(transport.receive(true));
  for (const message of messages) {
    const answer = answers[message.seq - 1];
    if (answer !== undefined) note(answer, message);
  }
  return messages.some(({ seq, type }) => seq === last && type === NLMSG.error);
}

function encode({ type, flags, payload }: BatchRequest, at: number, last: number): Buffer {
  const asked = NLM.request | (flags ?? 0) | (at === last ? NLM.ack : 0);
  return encodeMessage({ type, flags: asked, seq: at + 1, portId: 0, payload });
}

function note(answer: BatchAnswer, message: Message): void {
  if (message.type === NLMSG.error) answer.errno = parseAcknowledgement(message).errno;
  else if (message.type > NLMSG.overrun) answer.message = message;
}
