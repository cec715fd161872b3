import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';

/**
 * The part of virt-launcher that speaks to hook sidecars (KubeVirt, pkg/hooks/manager.go). Its messages are written byte
 * by byte here, so that a wrong field number of ours is seen.
 */
export type Launcher = {
  readonly socket: string;
  readonly version: string;
  readonly hookPoints: readonly string[];
  call(method: string, fields: Message): Promise<Message>;
  close(): void;
};

/** Field number to its values: bytes as they are on the wire. */
export type Message = ReadonlyMap<number, readonly Buffer[]>;

/** What the launcher of a KubeVirt knows, newest first. */
const KNOWN = ['v1alpha3', 'v1alpha2', 'v1alpha1'];

/** Dials the one socket of the directory, as the launcher does at its start; `known` are the versions it knows. */
export async function collect(directory: string, known: readonly string[] = KNOWN): Promise<Launcher> {
  const files = await readdir(directory);
  if (files.length !== 1) throw new Error(`one socket was expected, but there are: ${files.join(' ')}`);
  const socket = join(directory, files[0] ?? '');
  const client = new Client(`unix:${socket}`, credentials.createInsecure(), { 'grpc.default_authority': 'localhost' });
  const info = await call(client, '/kubevirt.hooks.info.Info/Info', new Map(), 1000);
  const versions = (info.get(4) ?? []).map(String);
  const version = known.find((one) => versions.includes(one));
  if (version === undefined) throw new Error(`no common version in ${versions.join(' ')}`);
  return {
    socket,
    version,
    hookPoints: (info.get(3) ?? []).map((point) => String(decode(point).get(1)?.[0])),
    call: (method, fields) => call(client, `/kubevirt.hooks.${version}.Callbacks/${method}`, fields, 60_000),
    close: () => client.close(),
  };
}

function call(client: Client, path: string, fields: Message, timeout: number): Promise<Message> {
  const { promise, resolve, reject } = Promise.withResolvers<Message>();
  const done = (error: ServiceError | null, reply?: Message) => (error ? reject(error) : resolve(reply ?? new Map()));
  client.makeUnaryRequest(path, encode, decode, fields, { deadline: Date.now() + timeout }, done);
  return promise;
}

/** A message of length-delimited fields only (protobuf.dev, Encoding). */
export function encode(fields: Message): Buffer {
  const parts = [...fields].flatMap(([number, values]) =>
    values.flatMap((value) => [varint((number << 3) | 2), varint(value.length), value]),
  );
  return Buffer.concat(parts);
}

/** Fields of other kinds count as seen: their numbers are there, without values. */
export function decode(bytes: Buffer): Message {
  const fields = new Map<number, Buffer[]>();
  let at = 0;
  const next = (): number => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = bytes[at++] ?? 0;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
      shift += 7;
    }
  };
  while (at < bytes.length) {
    const key = next();
    const values = fields.get(key >> 3) ?? [];
    fields.set(key >> 3, values);
    const length = next();
    if ((key & 7) === 2) {
      values.push(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return fields;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
}
