import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CniError, CODES, formatCniError, toCniError, wordDelError } from './errors.ts';

describe('errors for the runtime', () => {
  test('carry version, code, message and details', () => {
    const error = new CniError('bindingTimeout', 'waited 60 s', { details: '{"stage":"installed"}' });
    expect(JSON.parse(formatCniError(error, '0.4.0'))).toEqual({
      cniVersion: '0.4.0',
      code: 103,
      msg: 'mooring: waited 60 s',
      details: '{"stage":"installed"}',
    });
  });

  test('leave details out when there are none, and cut what is too long', () => {
    const body = JSON.parse(formatCniError(new CniError('io', 'x'.repeat(5000)), '1.0.0'));
    expect(body.msg).toHaveLength(2000);
    expect(body).not.toHaveProperty('details');
  });

  test('never use code 3, after which a runtime skips the clean-up', () => {
    expect(Object.values(CODES)).not.toContain(3);
  });

  test('are documented, each with its name', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../docs/reference/cni.md'), 'utf8');
    for (const [name, code] of Object.entries(CODES)) expect(page).toContain(`| ${code} | ${name} | `);
  });

  test('of unknown kind become I/O errors with their own words', () => {
    expect(toCniError(new TypeError('boom'))).toMatchObject({ code: 'io', message: 'boom' });
    expect(toCniError('boom').message).toBe('boom');
    const own = new CniError('fenced', 'x');
    expect(toCniError(own)).toBe(own);
  });

  test('of a DEL do not sound like "already gone"', () => {
    const error = new CniError('io', 'Not found: open /x: no such file or directory', { details: 'not found' });
    const worded = wordDelError(error);
    expect(formatCniError(worded, '1.0.0')).not.toMatch(/not found|no such file or directory/i);
    expect(worded.code).toBe('io');
    expect(worded.message).toContain('/x: ENOENT');
  });
});
