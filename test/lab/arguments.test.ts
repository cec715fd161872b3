import { describe, expect, it } from 'vitest';
import { HELP, parseArguments, UsageError, VERBS } from './arguments.ts';

describe('parseArguments', () => {
  it.each(VERBS)('knows the verb %s', (verb) => {
    expect(parseArguments([verb])).toEqual({ verb, kubevirt: 'internal', nodes: 3 });
  });
  it.each([
    [['up', '--kubevirt=external'], { kubevirt: 'external', nodes: 3 }],
    [['up', '--kubevirt', 'external'], { kubevirt: 'external', nodes: 3 }],
    [['up', '--', '--kubevirt=external'], { kubevirt: 'external', nodes: 3 }],
    [['--nodes=2', 'up'], { kubevirt: 'internal', nodes: 2 }],
  ])('reads %o', (argv, expected) => {
    expect(parseArguments(argv)).toEqual({ verb: 'up', ...expected });
  });
  it('takes --help for the verb', () => {
    expect(parseArguments(['--help']).verb).toBe('help');
  });
  it.each([
    [[], 'a verb is missing'],
    [['start'], 'unknown verb start'],
    [['up', 'down'], 'unexpected down'],
    [['up', '--kubevirt=both'], '--kubevirt is internal or external, not both'],
    [['up', '--nodes=0'], '--nodes is a number from 1 to 9, not 0'],
    [['up', '--nodes=10'], '--nodes is a number from 1 to 9, not 10'],
    [['up', '--nodes=1e1'], '--nodes is a number from 1 to 9, not 1e1'],
  ])('refuses %o', (argv, message) => {
    expect(() => parseArguments(argv)).toThrow(new UsageError(message));
  });
  it('refuses a flag that does not exist', () => {
    expect(() => parseArguments(['up', '--force'])).toThrow(UsageError);
  });
  it('has every verb in its help', () => {
    for (const verb of VERBS) expect(HELP).toMatch(new RegExp(`^ {2}${verb} `, 'm'));
  });
});
