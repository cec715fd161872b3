import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noLogger, noMetrics, systemClock } from '../../kube/index.ts';
import { createRecordingLogger } from '../../kube/testing/recording-logger.ts';
import { ALLOWED, type Judge } from '../admission.ts';
import { MOST_BYTES } from './body.ts';
import { createAuthority, createServing, type KeyPair } from './certificates/x509.ts';
import { createListener, type Listener, type ListenerOptions, type Route } from './listener.ts';
import { callHook, formatQuestion, type Reply } from './testing.ts';

const NAME = 'hook.ns.svc';
const DAY = 86_400_000;
const wish = (commonName: string) => ({
  commonName,
  notBefore: new Date(Date.now() - DAY),
  notAfter: new Date(Date.now() + DAY),
  serial: crypto.getRandomValues(new Uint8Array(16)),
});

let authority: KeyPair;
let listener: Listener;
let port: number;
let judge: Judge;
const counted: [string, Record<string, string> | undefined][] = [];
const log = createRecordingLogger();

const open = async (more: Partial<ListenerOptions> = {}) => {
  const created = createListener({
    routes: new Map<string, Route>([
      ['/mutate', { judge: (admission) => judge(admission), mayPatch: true }],
      ['/validate', { judge: (admission) => judge(admission), mayPatch: false }],
    ]),
    clock: systemClock,
    log: noLogger,
    metrics: { ...noMetrics, count: (name, labels) => counted.push([name, labels]) },
    answerMs: 60_000,
    ...more,
  });
  created.show(createServing(wish('server'), [NAME], authority));
  return { listener: created, port: await created.listen(0) };
};

beforeEach(async () => {
  authority = createAuthority(wish('authority'));
  judge = () => ALLOWED;
  counted.length = 0;
  log.lines.length = 0;
  ({ listener, port } = await open());
});
afterEach(() => listener.close(0));

const call = (more: Partial<Parameters<typeof callHook>[0]> = {}): Promise<Reply> =>
  callHook({ port, ca: authority.cert, servername: NAME, ...more });
const read = ({ text }: Reply) => (JSON.parse(text) as { response: object }).response;

describe('a question of the API server', () => {
  it('gets the verdict, with the patch only on the path where one may be', async () => {
    judge = ({ name }) => ({ allowed: true, warnings: [name], patch: [{ op: 'remove', path: '/a' }] });
    expect(read(await call())).toMatchObject({
      uid: 'u-1',
      allowed: true,
      warnings: ['web'],
      patch: expect.any(String),
    });
    expect(read(await call({ path: '/validate?timeout=2s' }))).toEqual({
      uid: 'u-1',
      allowed: true,
      warnings: ['web'],
    });
    expect(counted.map(([, labels]) => labels?.verdict)).toEqual(['changed', 'changed']);
  });

  it('about a kind that anybody could have named is counted without that name', async () => {
    await call({ body: formatQuestion({ kind: `Kind${'x'.repeat(50)}` }) });
    expect(counted).toEqual([['admission_verdicts', { path: '/mutate', kind: 'other', verdict: 'allowed' }]]);
  });

  it('for which no time is left is allowed, unseen, with a warning', async () => {
    await listener.close(0);
    judge = () => expect.unreachable('nobody waits for it any more');
    ({ listener, port } = await open({ answerMs: -1, log }));
    expect(read(await call())).toMatchObject({ allowed: true, warnings: [expect.stringContaining('no time')] });
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { namespace: 'team', name: 'web' } }]);
  });
});

describe('a denial', () => {
  it('that an object made a moment ago may be the cause of is thought over once', async () => {
    let asked = 0;
    judge = () => {
      asked += 1;
      return asked === 2 ? ALLOWED : { ...ALLOWED, allowed: false, message: 'no subnet', isPerhapsLate: true };
    };
    expect(read(await call())).toEqual({ uid: 'u-1', allowed: true });
    judge = () => ({ ...ALLOWED, allowed: false, message: `asked ${++asked} times`, isPerhapsLate: true });
    expect(read(await call())).toMatchObject({ allowed: false, status: { message: 'asked 4 times' } });
  });

  it.each<[string, number, (look: number) => number, number]>([
    ['is thought over where just enough time is left', 250, () => 0, 2],
    ['stands where too little is left to think', 249, () => 0, 1],
    ['stands where the time ran out while it thought', 250, (look) => (look === 0 ? 0 : 251), 1],
  ])('that %s', async (_cause, answerMs, tick, expected) => {
    await listener.close(0);
    let [asked, looks] = [0, 0];
    judge = () => ({ ...ALLOWED, allowed: false, message: `asked ${++asked} times`, isPerhapsLate: true });
    // The clock is looked at before the judge is asked, before the wait and after it.
    const now = () => (asked === 0 ? 0 : tick(looks++));
    ({ listener, port } = await open({ answerMs, clock: { ...systemClock, now } }));
    expect(read(await call())).toMatchObject({ allowed: false, status: { message: `asked ${expected} times` } });
  });

  it('for any other reason stands at once', async () => {
    let asked = 0;
    judge = () => ({ ...ALLOWED, allowed: false, message: `asked ${++asked} times` });
    expect(read(await call())).toMatchObject({ allowed: false, status: { message: 'asked 1 times' } });
  });
});

describe('a request that is no question', () => {
  it.each<[string, number, Partial<Parameters<typeof callHook>[0]>]>([
    ['with another method', 405, { method: 'GET' }],
    ['of another type', 415, { headers: { 'content-type': 'text/plain' } }],
    ['of no type', 415, { headers: { 'content-type': '' } }],
    ['to another path', 404, { path: '/mutate/x' }],
    ['to a path out of JavaScript', 404, { path: '/__proto__' }],
    ['that cannot be read', 400, { body: '{"kind":1}' }],
  ])('%s is refused', async (_cause, status, more) => {
    expect((await call(more)).status).toBe(status);
    expect(counted).toEqual([['admission_refused', { status: String(status) }]]);
  });

  it('that is larger than an API server sends is refused by its announced length', async () => {
    const headers = { 'content-length': String(MOST_BYTES + 1) };
    const refused = call({ headers, body: '{' });
    expect((await refused).status).toBe(413);
  });

  it('that breaks off leaves the server well', async () => {
    const socket = connect({ port, host: '127.0.0.1', ca: authority.cert, servername: NAME });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    socket.write('POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{');
    socket.destroy();
    expect((await call()).status).toBe(200);
  });
});

describe('the certificate', () => {
  it('is changed between two connections, without a new server', async () => {
    const next = createAuthority(wish('next'));
    listener.show(createServing(wish('server'), [NAME], next));
    await expect(call()).rejects.toThrow();
    expect((await call({ ca: next.cert })).status).toBe(200);
  });

  it('that does not fit its key is refused, and the old one stays', async () => {
    const [one, other] = [0, 1].map(() => createServing(wish('server'), [NAME], authority));
    expect(() => listener.show({ cert: one?.cert ?? '', key: other?.key ?? '' })).toThrow();
    expect((await call()).status).toBe(200);
  });
});

describe('the end', () => {
  it('is told to clients first: their connections are not used again', async () => {
    expect((await call({ headers: { connection: 'keep-alive' } })).connection).toBe('keep-alive');
    listener.beginDrain();
    expect(await call({ headers: { connection: 'keep-alive' } })).toMatchObject({ status: 200, connection: 'close' });
  });

  it('waits for who is being answered, and takes nobody new', async () => {
    const socket = connect({ port, host: '127.0.0.1', ca: authority.cert, servername: NAME });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    const body = formatQuestion();
    const asked = Promise.withResolvers<void>();
    judge = () => {
      asked.resolve();
      return { ...ALLOWED, warnings: ['answered'] };
    };
    const head = `POST /mutate HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
    socket.write(head + body.slice(0, 10));
    // The first call on another connection comes back: the server has seen the beginning of the one above.
    await call();
    const closed = listener.close(60_000);
    await expect(call()).rejects.toThrow('ECONNREFUSED');
    const parts: Buffer[] = [];
    socket.on('data', (part: Buffer) => parts.push(part));
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.write(body.slice(10));
    await asked.promise;
    await ended;
    expect(Buffer.concat(parts).toString()).toContain('answered');
    await closed;
  });
});
