const BEGIN = '<!-- bench/bindings: begin; written by make bench NAME=bindings BENCH_FLAGS=--docs -->';
const END = '<!-- bench/bindings: end -->';

/** The document with `part` between its marks in place of what was there. Throws when the marks are not there, in this order. */
export function replacePart(document: string, part: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`the document has no lines "${BEGIN}" and "${END}"`);
  return `${document.slice(0, begin + BEGIN.length)}\n\n${part.trim()}\n\n${document.slice(end)}`;
}
