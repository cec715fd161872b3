import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { METRICS } from '../../src/api/metrics.ts';
import { REASONS } from '../../src/api/reasons.ts';
import { REMEDIES } from '../../src/api/remedies.ts';
import { formatReasons, listFields } from './docs.ts';

describe('reference documents', () => {
  it('name every reason once', () => {
    const text = formatReasons(REASONS, REMEDIES);
    for (const reason of Object.keys(REASONS)) expect(text.split(`\`${reason}\``)).toHaveLength(2);
  });

  it('list every metric that the source counts or observes, and no other', () => {
    const src = resolve(import.meta.dirname, '../../src');
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) =>
      /(?<!\.test)\.ts$/.test(file),
    );
    const used = files.flatMap((file) =>
      [...readFileSync(join(src, file), 'utf8').matchAll(/metrics\.(?:count|observe)\('([^']+)'/g)].map(
        (match) => match[1],
      ),
    );
    expect([...new Set(used)].sort()).toEqual(Object.keys(METRICS).sort());
  });

  it('show nested fields, lists, required ones, values and defaults', () => {
    const schema = {
      required: ['a'],
      properties: {
        a: {
          type: 'array',
          description: 'List.',
          items: { type: 'object', properties: { b: { type: 'string', enum: ['x', 'y'], default: 'x' } } },
        },
      },
    };
    expect(listFields(schema)).toEqual([
      { path: 'a[]', type: 'object', text: 'required. List.' },
      { path: 'a[].b', type: 'string', text: 'One of `x`, `y`. Default `x`.' },
    ]);
  });
});
