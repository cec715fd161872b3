import type { IncomingMessage } from 'node:http';

/** As much as the API server itself takes of a request. */
export const MOST_BYTES = 3 * 1024 * 1024;

/** A request that gets no verdict, and the HTTP status for it. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
  readonly class = 'terminal';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The body of a POST with JSON. Throws `BadRequest` for any other, and for one of more than `most` bytes. */
export async function readJsonBody(request: IncomingMessage, most: number = MOST_BYTES): Promise<string> {
  if (request.method !== 'POST') throw new BadRequest(405, 'only POST');
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) throw new BadRequest(415, 'only application/json');
  if (Number(request.headers['content-length'] ?? 0) > most) throw new BadRequest(413, `more than ${most} bytes`);
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > most) throw new BadRequest(413, `more than ${most} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
