import { describe, expect, it } from 'vitest';
import { BINDING_POLICIES, isOpenBinding, parseBindingPolicy } from './binding.ts';

const read = (text: string) => {
  const parsed = parseBindingPolicy(text);
  return parsed.ok ? parsed.value : parsed.problem.message;
};

describe('parseBindingPolicy', () => {
  it.each(BINDING_POLICIES)('reads %s, also with blanks around it', (policy) => {
    expect(read(policy)).toBe(policy);
    expect(read(` ${policy}\n`)).toBe(policy);
  });

  it('takes blanks for nothing', () => expect(read('  ')).toBeUndefined());

  it.each(['slirp', 'Bridge', 'managedtap', 'constructor', '__proto__'])('refuses %s', (text) => {
    expect(read(text)).toBe(`"${text}" is not one of asIs, bridge, masquerade, managedTap, auto`);
  });

  it('quotes no more than a piece of a long text', () => {
    expect(String(read('x'.repeat(10_000))).length).toBeLessThan(200);
  });
});

describe('isOpenBinding', () => {
  it('tells what names no binding', () => {
    expect(BINDING_POLICIES.filter(isOpenBinding)).toEqual(['asIs', 'auto']);
  });
});
