import { describe, expect, it } from 'vitest';
import { formatQuestion, type Question, readMachine } from './machine.ts';
import { makeCluster, makeSpec, makeVm, makeVmi } from './testing/cluster.ts';

const ask = (object: unknown, over: Partial<Question> = {}) =>
  readMachine(
    { kind: 'VirtualMachine', operation: 'CREATE', namespace: 'web', object, oldObject: null, ...over },
    makeCluster({ vms: [{ metadata: { name: 'db', uid: 'u1' } }] }),
  );
const SPEC = makeSpec([{ name: 'default' }, { name: 'biz' }]);
const VMI = { kind: 'VirtualMachineInstance' };
const owner = (more: object) => ({
  ownerReferences: [
    { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name: 'db', uid: 'u1', controller: true, ...more },
  ],
});

describe('readMachine', () => {
  it('finds the places of a VM', () => {
    const machine = ask(makeVm(SPEC));
    expect(machine?.name).toBe('db');
    expect(machine?.specPath).toBe('/spec/template/spec');
    expect(machine?.metadataPath).toBe('/spec/template/metadata');
    expect(machine?.slots.map(({ index, nic }) => [index, nic.name, nic.interface.slice(0, 3)])).toEqual([
      [0, 'default', 'eth'],
      [1, 'biz', 'pod'],
    ]);
    expect(machine?.sources.map(({ from }) => from)).toEqual(['the VM', "the VM's template"]);
  });

  it('finds the places of a VMI', () => {
    expect(ask(makeVmi(SPEC), VMI)).toMatchObject({ specPath: '/spec', metadataPath: '/metadata', ofVm: false });
  });

  it('counts places by the list as it was sent, also past what is no interface', () => {
    const spec = {
      domain: { devices: { interfaces: [null, 7, { bridge: {} }, { name: 'lost' }, { name: 'default' }] } },
      networks: [{ name: 'default', pod: {} }],
    };
    expect(ask(makeVm(spec))?.slots.map(({ index }) => index)).toEqual([4]);
  });

  it.each<[string, unknown, Partial<Question>]>([
    ['another kind', makeVm(SPEC), { kind: 'Pod' }],
    ['a deletion', makeVm(SPEC), { operation: 'DELETE' }],
    ['a VMI that is there', makeVmi(SPEC), { ...VMI, operation: 'UPDATE' }],
    ['what is being deleted', makeVmi(SPEC, { deletionTimestamp: '2026-01-01T00:00:00Z' }), VMI],
    ['no object', null, {}],
    ['no metadata', { spec: {} }, {}],
    ['no template', { metadata: {}, spec: {} }, {}],
    ['no domain', makeVm({ networks: [] }), {}],
  ])('says nothing of %s', (_cause, object, over) => {
    expect(ask(object, over)).toBeUndefined();
  });

  it('takes a null for no deletion', () => {
    expect(ask(makeVmi(SPEC, { deletionTimestamp: null }), VMI)).toBeDefined();
  });

  it.each<[string, object, boolean]>([
    ['its own', {}, true],
    ['of another life', { uid: 'u2' }, false],
    ['that is not there', { name: 'gone' }, false],
    ['of another kind', { kind: 'VirtualMachineInstanceReplicaSet' }, false],
    ['that does not control it', { controller: false }, false],
    ['whose name is no text', { name: {} }, false],
  ])('knows a VM %s', (_cause, more, ofVm) => {
    expect(ask(makeVmi(SPEC, owner(more)), VMI)?.ofVm).toBe(ofVm);
  });

  it.each<[unknown]>([[null], [{}], ['x'], [[null, 7, 'x']]])('bears owners that are none: %j', (ownerReferences) => {
    expect(ask(makeVmi(SPEC, { ownerReferences }), VMI)?.ofVm).toBe(false);
  });
});

describe('formatQuestion', () => {
  const MARKED = { annotations: {} };
  const vm = makeVm(SPEC, { a: 'b' }) as { metadata: object; spec: { template: object } };

  it('is the same where only other things change', () => {
    const other = { ...vm, spec: { ...vm.spec, runStrategy: 'Always' }, status: { ready: true } };
    expect(formatQuestion(other)).toBe(formatQuestion(vm));
  });

  it.each<[string, object]>([
    ['annotations', makeVm(SPEC, { a: 'c' })],
    ['interfaces', makeVm(makeSpec([{ name: 'default', bridge: {} }, { name: 'biz' }]), { a: 'b' })],
    ['networks', makeVm({ ...SPEC, networks: [] }, { a: 'b' })],
    ["the template's annotations", { ...vm, spec: { template: { ...vm.spec.template, metadata: MARKED } } }],
  ])('is another one by %s', (_cause, other) => {
    expect(formatQuestion(other)).not.toBe(formatQuestion(vm));
  });

  it('takes anything', () => {
    for (const value of [null, 7, [], 'x', { spec: null }]) expect(typeof formatQuestion(value)).toBe('string');
  });
});
