import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BINDING_POLICIES } from '../../api/binding.ts';
import { planBindings } from './plan.ts';
import { applyPatch, DEFAULTS, makeCluster, makeSpec, makeSubnet, makeVm, makeVmi, TAPPED } from './testing/cluster.ts';

const KEY = 'mooring.dev/binding';
const QUESTION = { kind: 'VirtualMachine', operation: 'CREATE', namespace: 'web', oldObject: null } as const;
const WRITTEN = [
  {},
  {},
  { bridge: {} },
  { masquerade: {} },
  { bridge: null },
  { binding: { name: 'managedtap' } },
  { sriov: {} },
  { bridge: {}, masquerade: {} },
  { state: 'absent', bridge: {} },
];

const policy = fc.constantFrom(undefined, ...BINDING_POLICIES);
const says = (enforced: fc.Arbitrary<boolean>) =>
  fc.tuple(policy, enforced).map(
    ([word, must]): Record<string, string> => ({
      ...(word === undefined ? {} : { [KEY]: word }),
      ...(must ? { 'mooring.dev/binding-enforced': 'true' } : {}),
    }),
  );
const states = fc.record({
  kind: fc.constantFrom('VirtualMachine', 'VirtualMachineInstance'),
  nics: fc.uniqueArray(
    fc.tuple(fc.constantFrom('default', 'biz', 'lan', 'mac', 'vf', 'gone'), fc.constantFrom(...WRITTEN)),
    { selector: ([name]) => name, maxLength: 5 },
  ),
  own: says(fc.constant(false)),
  table: fc.dictionary(fc.constantFrom('default', 'biz'), fc.record({ binding: fc.constantFrom(...BINDING_POLICIES) })),
  namespace: says(fc.boolean()),
  subnet: says(fc.boolean()),
  spec: fc.record({ enableDHCP: fc.boolean(), cidrBlock: fc.constantFrom('10.0.0.0/24', '10.0.0.0/24,fd00::/64') }),
  kubevirt: fc.constantFrom(undefined, TAPPED),
  fallback: fc.constantFrom(...BINDING_POLICIES),
});
type State = typeof states extends fc.Arbitrary<infer T> ? T : never;

const makeObject = ({ kind, nics, own, table }: State) => {
  const spec = makeSpec(nics.map(([name, written]) => ({ name, ...written })));
  const annotations = { ...own, 'mooring.dev/nics': JSON.stringify(table) };
  return kind === 'VirtualMachine' ? makeVm(spec, annotations) : makeVmi(spec, { annotations });
};

const plan = (state: State, object: unknown) => {
  const cluster = makeCluster({
    namespace: state.namespace,
    subnets: [makeSubnet('default', state.spec, state.subnet)],
    ...(state.kubevirt === undefined ? {} : { kubevirt: state.kubevirt }),
  });
  const question = { kind: state.kind, operation: 'CREATE' as const, namespace: 'web', object, oldObject: null };
  return planBindings(question, cluster, { ...DEFAULTS, binding: state.fallback });
};

describe('any state', () => {
  it('is settled by one patch: planning on the patched object writes and refuses nothing', () => {
    fc.assert(
      fc.property(states, (state) => {
        const object = makeObject(state);
        const first = plan(state, object);
        const second = plan(state, applyPatch(object, first.patch));
        if (first.denial !== undefined) return first.patch.length === 0;
        return second.patch.length === 0 && second.denial === undefined;
      }),
      { numRuns: 300 },
    );
  });

  it('keeps what a user wrote where nothing is enforced', () => {
    fc.assert(
      fc.property(states, (state) => {
        const enforced = 'mooring.dev/binding-enforced';
        const [namespace, subnet] = [state.namespace, state.subnet].map((own) => ({ ...own, [enforced]: '' }));
        const calm: State = { ...state, namespace: namespace ?? {}, subnet: subnet ?? {} };
        const { patch } = plan(calm, makeObject(calm));
        const written = calm.nics.flatMap(([, has], index) => (Object.values(has).some(Boolean) ? index : []));
        return !patch.some(({ path }) => written.some((index) => path.includes(`/interfaces/${index}/`)));
      }),
      { numRuns: 300 },
    );
  });

  it('changes nothing of the object that it was asked about', () => {
    fc.assert(
      fc.property(states, (state) => {
        const object = makeObject(state);
        const before = JSON.stringify(object);
        plan(state, object);
        return JSON.stringify(object) === before;
      }),
    );
  });
});

const hostile = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom('__proto__', 'constructor', 'default', 'biz', 'bridge', null, 0, true, [], {}, [[]]),
);
const keys = fc.constantFrom(
  'name',
  'bridge',
  'masquerade',
  'binding',
  'pod',
  'multus',
  'networkName',
  'default',
  'state',
  '__proto__',
  'constructor',
);
const thing = fc.oneof(hostile, fc.dictionary(keys, fc.oneof(hostile, fc.dictionary(keys, hostile))));
const list = fc.oneof(hostile, fc.array(thing, { maxLength: 6 }));
const metadata = fc.oneof(
  hostile,
  fc.record({
    annotations: fc.oneof(hostile, fc.dictionary(fc.constantFrom(KEY, 'mooring.dev/nics', '__proto__'), hostile)),
    ownerReferences: list,
  }),
);
const devices = fc.oneof(hostile, fc.record({ interfaces: list }));
const domain = fc.oneof(hostile, fc.record({ devices }));
const guest = fc.oneof(hostile, fc.record({ domain, networks: list }));
const template = fc.oneof(hostile, fc.record({ metadata, spec: guest }));
const object = fc.oneof(hostile, fc.record({ metadata, spec: fc.oneof(guest, fc.record({ template })) }));

describe('a hostile object', () => {
  it.each(['VirtualMachine', 'VirtualMachineInstance'])('never throws as %s, whatever its types are', (kind) => {
    const cluster = makeCluster({ namespace: { [KEY]: 'bridge', 'mooring.dev/binding-enforced': 'true' } });
    fc.assert(
      fc.property(object, object, (now, before) => {
        const tree: unknown = JSON.parse(JSON.stringify(now));
        for (const operation of ['CREATE', 'UPDATE', 'DELETE'] as const) {
          const question = { kind, operation, namespace: 'web', object: tree, oldObject: before };
          const { patch, denial } = planBindings(question, cluster, DEFAULTS);
          if (denial !== undefined && patch.length > 0) return false;
        }
        return true;
      }),
      { numRuns: 500 },
    );
  });

  it('with a hundred thousand interfaces is answered, and in few words', () => {
    const many = Array.from({ length: 100_000 }, (_, index) => ({ name: `n${index}` }));
    const vm = makeVm(makeSpec(many), { [KEY]: 'bridge' });
    const question = { ...QUESTION, object: vm };
    const { patch, warnings } = planBindings(question, makeCluster(), DEFAULTS);
    expect(patch.length).toBeLessThanOrEqual(64);
    expect(warnings.length).toBeLessThanOrEqual(17);
  });

  it('with the names of a prototype has neither annotations nor bindings by them', () => {
    const text =
      '{"metadata":{"annotations":{"__proto__":{"mooring.dev/binding":"masquerade"}}},"spec":{"template":{"spec":' +
      '{"domain":{"devices":{"interfaces":[{"name":"default","__proto__":{"masquerade":{}}}]}},' +
      '"networks":[{"name":"default","pod":{}}]}}}}';
    const tree: unknown = JSON.parse(text);
    const question = { ...QUESTION, object: tree };
    expect(planBindings(question, makeCluster(), DEFAULTS)).toEqual({ patch: [], warnings: [] });
  });
});
