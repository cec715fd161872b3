import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { replacePart } from './document.ts';

const BEGIN = '<!-- bench/bindings: begin; written by make bench NAME=bindings BENCH_FLAGS=--docs -->';
const END = '<!-- bench/bindings: end -->';

describe('the part of a document that is generated', () => {
  const document = `before\n\n${BEGIN}\n\nold\n\n${END}\n\nafter\n`;

  it('takes the place of the old one and leaves the rest', () => {
    expect(replacePart(document, '\nnew\n')).toBe(`before\n\n${BEGIN}\n\nnew\n\n${END}\n\nafter\n`);
  });

  it('changes nothing when it is written again', () => {
    expect(replacePart(document, 'old')).toBe(document);
  });

  it.each([
    ['no marks', 'text'],
    ['no end', `${BEGIN}\n`],
    ['the end before the beginning', `${END}\n${BEGIN}\n`],
  ])('is refused where there are %s', (_, text) => {
    expect(() => replacePart(text, 'new')).toThrow('the document has no lines');
  });

  it('has its place in the document about bindings', () => {
    const text = readFileSync(join(import.meta.dirname, '../../docs/bindings.md'), 'utf8');
    expect(replacePart(text, 'new')).toContain('new');
  });
});
