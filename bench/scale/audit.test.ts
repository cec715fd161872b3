import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countWrites, describeWrites, followAudit, formatAuditArguments } from './audit.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'audit-test-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const event = (verb: string, resource: string, more: { subresource?: string; code?: number } = {}) => {
  const objectRef = { resource, namespace: 'a', name: 'x', subresource: more.subresource };
  return `${JSON.stringify({ verb, objectRef, responseStatus: { code: more.code ?? 200 } })}\n`;
};

describe('the audit log', () => {
  it('gives each write once, also one whose line is not whole yet', () => {
    const [path = ''] = formatAuditArguments(dir).flatMap((argument) => argument.split('--audit-log-path=')[1] ?? []);
    using audit = followAudit(dir);
    const second = event('patch', 'logicalports', { subresource: 'status' });
    appendFileSync(path, event('create', 'logicalports') + second.slice(0, 20));
    expect(audit.take()).toMatchObject([{ verb: 'create', resource: 'logicalports', namespace: 'a', name: 'x' }]);
    appendFileSync(path, second.slice(20));
    expect(audit.take()).toMatchObject([{ verb: 'patch', subresource: 'status' }]);
    expect(audit.take()).toEqual([]);
  });

  it('counts ports, leases, events and all others apart, and not what the API server failed to do', () => {
    const write = (resource: string, code = 200) => ({
      verb: 'patch',
      resource,
      subresource: '',
      namespace: '',
      name: '',
      code,
    });
    const writes = [
      write('logicalports'),
      write('logicalports', 409),
      write('leases'),
      write('events'),
      write('subnets'),
    ];
    const failed = [write('logicalports', 504), write('leases', 500)];
    const counts = { ports: 2, leases: 1, events: 1, others: 1, refused: 1, failed: 2 };
    expect(countWrites([...writes, ...failed])).toEqual(counts);
    expect(describeWrites(writes)).toContain('patch logicalports (409) 1');
  });
});
