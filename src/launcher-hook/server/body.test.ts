import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readJsonBody } from './body.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const ask = (parts: readonly Buffer[], headers: Record<string, string> = JSON_TYPE, method = 'POST') =>
  Object.assign(Readable.from(parts), { method, headers }) as unknown as IncomingMessage;
const text = (...parts: string[]) => parts.map((part) => Buffer.from(part));

describe('a body', () => {
  it('is put together from its parts, also where they split a character', async () => {
    const whole = Buffer.from('{"a":"ü"}');
    expect(await readJsonBody(ask([whole.subarray(0, 7), whole.subarray(7)]))).toBe('{"a":"ü"}');
  });

  it.each(['application/json', 'Application/JSON; charset=utf-8', 'application/json ; x=y'])(
    'is taken as %s',
    async (type) => {
      expect(await readJsonBody(ask(text('{}'), { 'content-type': type }))).toBe('{}');
    },
  );

  it('of just the most bytes is taken', async () => {
    expect(await readJsonBody(ask(text('12', '34')), 4)).toBe('1234');
  });

  it.each<[string, IncomingMessage, number]>([
    ['that grows beyond the most bytes without having said so', ask(text('12', '34', '5')), 413],
    ['that says it will', ask(text('1'), { ...JSON_TYPE, 'content-length': '5' }), 413],
    ['of a type that only begins like JSON', ask(text('1'), { 'content-type': 'application/json5' }), 415],
    ['of another method', ask(text('1'), JSON_TYPE, 'PUT'), 405],
  ])('%s is refused', async (_cause, request, status) => {
    await expect(readJsonBody(request, 4)).rejects.toMatchObject({ name: 'BadRequest', class: 'terminal', status });
  });
});
