import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { argv } from 'node:process';
import type { Probe, StreamResult } from './analyse.ts';

/**
 * Sends UDP probes and a TCP stream to an echo server from the network namespace it is started in, until SIGTERM,
 * then writes both results to a file. Usage: node probe.ts IP PORT INTERVAL_MS FILE
 */
const [, , host = '', port = '7', interval = '10', file = ''] = argv;
const now = (): number => performance.timeOrigin + performance.now();

const sent: number[] = [];
const received = new Map<number, number>();
const udp = createSocket('udp4');
udp.on('message', (message) => {
  const sequence = Number(message.toString('latin1').split(' ')[0]);
  if (!received.has(sequence)) received.set(sequence, now());
});
udp.on('error', () => undefined);

const stream = { sentLines: 0, echoedLines: 0, longestStallMs: 0, lastEcho: 0, error: '' };
let rest = '';
const tcp = connect({ host, port: Number(port), noDelay: true });
tcp.setEncoding('latin1');
tcp.on('error', (error) => {
  stream.error = error.message;
});
tcp.on('close', () => {
  if (stream.error === '' && !stopping) stream.error = 'closed by the guest';
});
tcp.on('data', (data: string) => {
  const lines = (rest + data).split('\n');
  rest = lines.pop() ?? '';
  for (const line of lines) takeEcho(line);
});

let stopping = false;

function takeEcho(line: string): void {
  if (line !== `line ${stream.echoedLines}`) stream.error = `expected line ${stream.echoedLines}, got ${line}`;
  const at = now();
  if (stream.lastEcho > 0) stream.longestStallMs = Math.max(stream.longestStallMs, at - stream.lastEcho);
  stream.lastEcho = at;
  stream.echoedLines += 1;
}

function sendOne(): void {
  const sequence = sent.length;
  sent.push(now());
  udp.send(`${sequence} ${'x'.repeat(40)}`, Number(port), host);
  if (sequence % 2 === 0 && tcp.readyState === 'open') {
    tcp.write(`line ${stream.sentLines}\n`);
    stream.sentLines += 1;
  }
}

const timer = setInterval(sendOne, Number(interval));

/** Answers still on their way get two seconds, TCP's backed-off retransmissions up to ten. */
function finish(): void {
  stopping = true;
  clearInterval(timer);
  const deadline = now() + 10_000;
  const udpDeadline = now() + 1_000;
  const check = setInterval(() => {
    const echoed = stream.echoedLines >= stream.sentLines || stream.error !== '';
    if (now() < udpDeadline && received.size < sent.length) return;
    if (!echoed && now() < deadline) return;
    clearInterval(check);
    report();
  }, 20);
}

function report(): void {
  if (stream.error === '' && stream.echoedLines < stream.sentLines) stream.error = 'lines were not echoed';
  if (stream.error === '' && stream.sentLines === 0) stream.error = 'never connected';
  const probes: Probe[] = sent.map((at, sequence) => {
    const answer = received.get(sequence);
    return answer === undefined ? { sent: at } : { sent: at, received: answer };
  });
  const { sentLines, echoedLines, longestStallMs, error } = stream;
  const result: StreamResult = { sentLines, echoedLines, longestStallMs, ...(error === '' ? {} : { error }) };
  writeFileSync(file, JSON.stringify({ probes, stream: result }));
  process.exit(0);
}

process.once('SIGTERM', finish);
process.once('SIGINT', finish);
