/** A small generator of numbers in [0, 1) that is the same in every run (mulberry32). */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const TOKENS = [
  '__proto__',
  'constructor',
  'toString',
  '\0',
  '\n',
  '\u2028',
  'ä',
  '\ud83d',
  '..',
  '../',
  '/',
  '@',
  ',',
  ';',
  ':',
  '.',
  '"',
  '\\',
  '[',
  ']',
  '{',
  '}',
  '[[[[[[[[',
  '{"a":',
  'null',
  'true',
  '-1',
  '1e999',
  '0x10',
  '010',
  '%00',
  '`',
  '$(',
  ' ',
  'ovn',
  'kubernetes.io/',
  'eth0',
  'default',
  'prod',
  'secret',
  'name',
  'ips',
  'mac',
  'interface',
  '"default-route":',
  '10.0.0.1',
  '0.0.0.0/0',
  '::',
  '::ffff:10.0.0.1',
  'fd00::1%eth0',
  '255.255.255.255',
  'ff:ff:ff:ff:ff:ff',
  '9'.repeat(40),
];

/** Changes a text a few times: what a tenant may type by mistake or on purpose. The result stays near its size. */
export function mutate(text: string, others: readonly string[], random: () => number): string {
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  let result = text;
  for (let times = 1 + Math.floor(random() * 3); times > 0; times -= 1) {
    const [from, to] = [random(), random()]
      .map((part) => Math.floor(part * (result.length + 1)))
      .toSorted((a, b) => a - b);
    const [head, middle, tail] = [result.slice(0, from), result.slice(from, to), result.slice(to)];
    const ways = [
      () => head + (pick(TOKENS) ?? '') + middle + tail,
      () => head + (pick(TOKENS) ?? '') + tail,
      () => head + tail,
      () => head + middle + middle + tail,
      () => head + tail + middle,
      () => head + (pick(others) ?? '').slice(from) + tail,
      () => head + String.fromCharCode(Math.floor(random() * 256)) + middle.slice(1) + tail,
    ];
    result = (pick(ways)?.() ?? result).slice(0, 2000);
  }
  return result;
}
