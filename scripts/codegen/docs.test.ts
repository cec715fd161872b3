import { describe, expect, it } from 'vitest';
import { REASONS } from '../../src/api/reasons.ts';
import { formatReasons, listFields } from './docs.ts';

describe('reference documents', () => {
  it('name every reason once', () => {
    const text = formatReasons(REASONS);
    for (const reason of Object.keys(REASONS)) expect(text.split(`\`${reason}\``)).toHaveLength(2);
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
