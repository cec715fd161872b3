import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The user that the operator's writes are told by. */
export const OPERATOR_USER = 'mooring-operator';

/** One write that the operator sent, whatever the answer was. */
export type Write = {
  readonly verb: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly code: number;
};

/** Reads the API server's audit log: what was written, without a word of the operator's own. */
export type Audit = {
  /** All writes since the last call. */
  take(): Write[];
};

/** Arguments that make the API server record each write of the operator's, and nothing else. */
export function formatAuditArguments(dir: string): string[] {
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [
      {
        level: 'Metadata',
        users: [OPERATOR_USER],
        verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'],
      },
      { level: 'None' },
    ],
  };
  const path = join(dir, 'audit-policy.json');
  writeFileSync(path, JSON.stringify(policy));
  writeFileSync(findLog(dir), '');
  // A log that is rotated would lose what was not read yet.
  return [`--audit-policy-file=${path}`, `--audit-log-path=${findLog(dir)}`, '--audit-log-maxsize=100000'];
}

const findLog = (dir: string): string => join(dir, 'audit.log');

/** Follows the log of an API server whose files are in `dir`. */
export function followAudit(dir: string): Audit & Disposable {
  const file = openSync(findLog(dir), 'r');
  let offset = 0;
  let rest = '';
  const read = (): string => {
    const buffer = Buffer.alloc(1024 * 1024);
    let text = '';
    for (let size = readSync(file, buffer, 0, buffer.length, offset); size > 0; ) {
      text += buffer.toString('utf8', 0, size);
      offset += size;
      size = readSync(file, buffer, 0, buffer.length, offset);
    }
    return text;
  };
  return {
    take: () => {
      const lines = (rest + read()).split('\n');
      rest = lines.pop() ?? '';
      return lines.flatMap((line) => (line === '' ? [] : [parseWrite(line)]));
    },
    [Symbol.dispose]: () => closeSync(file),
  };
}

type AuditEvent = {
  verb?: string;
  objectRef?: { resource?: string; subresource?: string; namespace?: string; name?: string };
  responseStatus?: { code?: number };
};

function parseWrite(line: string): Write {
  const { verb = '', objectRef, responseStatus } = JSON.parse(line) as AuditEvent;
  const { resource = '', subresource = '', namespace = '', name = '' } = objectRef ?? {};
  return { verb, resource, subresource, namespace, name, code: responseStatus?.code ?? 0 };
}

/** Writes by what they are about; leases and events do not belong to any port and are told apart. */
export type WriteCounts = {
  /** Of LogicalPorts. What the API server answered with a failure of its own (5xx) is not the operator's doing. */
  readonly ports: number;
  readonly others: number;
  readonly leases: number;
  readonly events: number;
  /** Sent in vain: answered with 4xx; they count like any other. */
  readonly refused: number;
  readonly failed: number;
};

export function countWrites(writes: readonly Write[]): WriteCounts {
  const answered = writes.filter((write) => write.code < 500);
  const of = (resource: string) => answered.filter((write) => write.resource === resource).length;
  const [ports, leases, events] = [of('logicalports'), of('leases'), of('events')];
  return {
    ports,
    leases,
    events,
    others: answered.length - ports - leases - events,
    refused: answered.filter((write) => write.code >= 400).length,
    failed: writes.length - answered.length,
  };
}

/** `create 40, patch/status 38`: what the writes were, most frequent first. */
export function describeWrites(writes: readonly Write[]): string {
  const counts = new Map<string, number>();
  for (const { verb, resource, subresource, code } of writes) {
    const what = [`${verb} ${resource}`, ...(subresource === '' ? [] : [subresource])].join('/');
    const key = code >= 400 ? `${what} (${code})` : what;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([what, count]) => `${what} ${count}`).join(', ');
}
