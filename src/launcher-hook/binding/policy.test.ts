import { describe, expect, it } from 'vitest';
import type { BindingPolicy } from '../../api/binding.ts';
import { chooseStatement, readNicStatement, readOuterStatement, readVmStatement, type Statement } from './policy.ts';

const say = (from: string, enforced = false): Statement => ({ policy: 'bridge', from, enforced, near: false });
const NOBODY = { nic: undefined, vm: undefined, subnet: undefined, namespace: undefined, fallback: say('chart') };
const KEY = 'mooring.dev/binding';
const ENFORCED = 'mooring.dev/binding-enforced';

describe('who is heard', () => {
  it.each<[string, object, string]>([
    ['nobody but the chart', {}, 'chart'],
    ['the namespace', { namespace: say('ns') }, 'ns'],
    ['the subnet before the namespace', { namespace: say('ns'), subnet: say('subnet') }, 'subnet'],
    ['the VM before the subnet', { subnet: say('subnet'), vm: say('vm') }, 'vm'],
    ['the NIC before the VM', { vm: say('vm'), nic: say('nic') }, 'nic'],
    ['an enforced namespace before NIC and VM', { nic: say('nic'), vm: say('vm'), namespace: say('ns', true) }, 'ns'],
    ['an enforced namespace before a subnet', { subnet: say('subnet'), namespace: say('ns', true) }, 'ns'],
    ['an enforced subnet before that', { subnet: say('subnet', true), namespace: say('ns', true) }, 'subnet'],
  ])('%s', (_cause, said, expected) => {
    expect(chooseStatement({ ...NOBODY, ...said }).from).toBe(expected);
  });
});

describe('what a NIC says', () => {
  it.each<[string, object, BindingPolicy | undefined]>([
    ['nothing', {}, undefined],
    ['a binding', { binding: 'masquerade' }, 'masquerade'],
    ['an open one', { openBinding: 'auto' }, 'auto'],
    ['both, by two objects: the binding', { binding: 'bridge', openBinding: 'auto' }, 'bridge'],
  ])('%s', (_cause, wish, expected) => {
    expect(readNicStatement(wish)?.policy).toBe(expected);
  });
});

describe('what a VM says', () => {
  const read = (vm: Record<string, string>, template: Record<string, string>) => {
    const said = readVmStatement([
      { from: 'the VM', annotations: vm },
      { from: 'the template', annotations: template },
    ]);
    return said.ok ? [said.value?.policy, said.value?.from] : said.problem.reason;
  };

  it.each<[string, Record<string, string>, Record<string, string>, unknown]>([
    ['nothing', {}, {}, [undefined, undefined]],
    ['blanks', { [KEY]: ' ' }, {}, [undefined, undefined]],
    ['by itself', { [KEY]: 'bridge' }, {}, ['bridge', 'the VM']],
    ['by its template', {}, { [KEY]: 'bridge' }, ['bridge', 'the template']],
    ['the same twice', { [KEY]: 'auto' }, { [KEY]: 'auto' }, ['auto', 'the VM']],
    ['two things', { [KEY]: 'auto' }, { [KEY]: 'asIs' }, 'RequestDisagreement'],
    ['a word that is none', { [KEY]: 'auto' }, { [KEY]: 'x' }, 'InvalidRequest'],
  ])('%s', (_cause, vm, template, expected) => {
    expect(read(vm, template)).toEqual(expected);
  });
});

describe('what a Namespace or Subnet says', () => {
  const read = (annotations?: Record<string, string>) => {
    const said = readOuterStatement({ from: 'Subnet s', annotations }, true);
    return said.ok ? said.value : said.problem.message;
  };

  it('is nothing without annotations, or with the mark alone', () => {
    expect(read()).toBeUndefined();
    expect(read({ [ENFORCED]: 'true' })).toBeUndefined();
  });

  it.each([
    ['true', true],
    [' true ', true],
    ['True', false],
    ['false', false],
    ['', false],
  ])('is enforced by the word true only: %j', (text, enforced) => {
    expect(read({ [KEY]: 'bridge', [ENFORCED]: text })).toEqual({
      policy: 'bridge',
      from: 'Subnet s',
      enforced,
      near: true,
    });
  });

  it('names the object whose word is none', () => {
    expect(read({ [KEY]: 'x' })).toMatch(/^Subnet s: mooring.dev\/binding: "x" is not one of/);
  });
});
