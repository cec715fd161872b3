import { describe, expect, it } from 'vitest';
import { REASONS, type Reason } from '../../api/reasons.ts';
import { formatDenial, formatWarnings } from './format.ts';
import { deny, type Problem, warn } from './types.ts';

const OBJECT = { kind: 'VirtualMachine', namespace: 'ns1', name: 'db' };
const taken = deny({ reason: 'AddressInUse', message: '10.0.0.7 is held' }, 'biz');
const full = warn({ reason: 'SubnetFull', message: 'subnet s has no free address' }, 'biz');
const many = (count: number, make: () => Problem): Problem[] => Array.from({ length: count }, make);

describe('a denial', () => {
  it.each<[string, Problem[], string]>([
    ['is nothing without a problem', [], ''],
    ['is nothing with warnings only', [full], ''],
    [
      'leaves warnings out',
      [full, taken],
      'VirtualMachine ns1/db is refused: NIC biz: 10.0.0.7 is held (AddressInUse). Ask for another address, or delete its holder. Once it is free it is given without further ado.',
    ],
    [
      'needs no NIC',
      [deny({ reason: 'InvalidRequest', message: 'x' })],
      'VirtualMachine ns1/db is refused: x (InvalidRequest). Correct the annotation that the message names.',
    ],
    ['needs no way out', [deny({ reason: 'Ready', message: 'x' })], 'VirtualMachine ns1/db is refused: x (Ready)'],
  ])('%s', (_cause, problems, expected) => {
    expect(formatDenial(problems, OBJECT)).toBe(expected);
  });

  it('names eight causes and counts the others', () => {
    const text = formatDenial(
      many(11, () => taken),
      OBJECT,
    );
    expect(text.match(/NIC biz/g)).toHaveLength(8);
    expect(text).toMatch(/and 3 more$/);
  });

  it('says so when there is no name yet', () => {
    expect(formatDenial([taken], { ...OBJECT, name: '' })).toMatch(/^VirtualMachine ns1\/\(no name yet\) is refused/);
  });

  it('goes without the object', () => {
    expect(formatDenial([taken])).toMatch(/^Refused: NIC biz/);
  });

  it('has no control characters of a tenant in it', () => {
    expect(
      formatDenial([deny({ reason: 'InvalidRequest', message: 'a\u001b[31m\nb' }, 'n\u0007')], OBJECT),
    ).not.toMatch(/\p{Cc}/u);
  });

  it('has an end, whatever a tenant wrote', () => {
    const long = () => deny({ reason: 'InvalidRequest', message: 'x'.repeat(100_000) }, 'y'.repeat(100_000));
    expect(formatDenial(many(64, long), OBJECT).length).toBeLessThan(12_000);
  });

  it.each(Object.keys(REASONS) as Reason[])('of %s has its reason in it', (reason) => {
    expect(formatDenial([deny({ reason, message: 'm' })])).toContain(`(${reason})`);
  });
});

describe('warnings', () => {
  it('are one text each, without denials', () => {
    expect(formatWarnings([taken, full])).toEqual(['NIC biz: subnet s has no free address (SubnetFull)']);
  });

  it('are as long and as many as the API server shows', () => {
    const texts = formatWarnings(many(40, () => warn({ reason: 'SubnetFull', message: 'x'.repeat(999) })));
    expect(texts).toHaveLength(8);
    expect(Math.max(...texts.map(({ length }) => length))).toBe(256);
  });
});
