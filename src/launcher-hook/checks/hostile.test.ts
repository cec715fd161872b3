import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { VmNetwork } from '../../api/objects.ts';
import { parseIpText } from '../../plan/wishes/values.ts';
import { checkRequest, createCheckJudge } from './check.ts';
import { ATTACHED, makeAdmission, makeCluster, makePort, makeVm } from './testing/cluster.ts';

const PORTS = [makePort({ at: 'prod/secret-vm' }, { ips: ['10.0.0.7'], mac: '02:00:00:00:00:07', ...ATTACHED })];
const CLUSTER = makeCluster({
  ports: PORTS,
  kubevirt: { spec: { configuration: { network: { binding: { passt: null } } } } },
});
const KINDS = fc.constantFrom('VirtualMachine', 'VirtualMachineInstance');
const OPERATIONS = fc.constantFrom('CREATE' as const, 'UPDATE' as const);
const TEXT = fc.oneof(
  fc.string(),
  fc.json(),
  fc.constantFrom(
    '10.0.0.7',
    'pod',
    '{',
    '__proto__',
    '02:00:00:00:00:07',
    'default/attachnet',
    'a@net1',
    '[{"name":"a"}]',
  ),
);
const ANNOTATIONS = fc.dictionary(
  fc.constantFrom(
    'ovn.kubernetes.io/ip_address',
    'ovn.kubernetes.io/mac_address',
    'ovn.kubernetes.io/ip_pool',
    'ovn.kubernetes.io/logical_switch',
    'ovn.kubernetes.io/routes',
    'mooring.dev/nics',
    'mooring.dev/adopt',
    'network.kubevirt.io/addresses',
    'k8s.v1.cni.cncf.io/networks',
    '__proto__',
  ),
  fc.oneof(TEXT, fc.jsonValue()),
);
const LOOSE = fc.oneof(TEXT, fc.jsonValue());
const NIC = fc.record(
  {
    name: fc.oneof(fc.constant('a'), LOOSE),
    macAddress: LOOSE,
    state: LOOSE,
    bridge: LOOSE,
    binding: fc.oneof(LOOSE, fc.record({ name: LOOSE })),
  },
  { requiredKeys: [] },
);
const NETWORK = fc.record(
  {
    name: fc.oneof(fc.constant('a'), LOOSE),
    pod: LOOSE,
    multus: fc.oneof(LOOSE, fc.record({ networkName: LOOSE, default: LOOSE }, { requiredKeys: [] })),
  },
  { requiredKeys: [] },
);
const listOf = (item: fc.Arbitrary<unknown>) => fc.oneof(LOOSE, fc.array(fc.oneof(item, LOOSE), { maxLength: 4 }));
const SPEC = fc.record({
  domain: fc.oneof(LOOSE, fc.record({ devices: fc.record({ interfaces: listOf(NIC) }) })),
  networks: listOf(NETWORK),
});
const META = fc.record(
  {
    name: LOOSE,
    annotations: fc.oneof(ANNOTATIONS, LOOSE),
    ownerReferences: listOf(fc.record({ kind: LOOSE, name: LOOSE })),
    deletionTimestamp: fc.constantFrom(null, 7, ''),
  },
  { requiredKeys: [] },
);
const NEARLY = fc.oneof(
  fc.record({
    metadata: META,
    spec: fc.record({ template: fc.record({ metadata: META, spec: SPEC }), running: LOOSE, runStrategy: LOOSE }),
  }),
  fc.record({ metadata: META, spec: SPEC }),
);

afterEach(() => {
  expect(Object.keys(Object.prototype)).toEqual([]);
});

/** What must hold of every answer: it is one, it is short, it is the same again, and it tells no stranger's name. */
function examine(object: unknown, kind: string, operation: 'CREATE' | 'UPDATE', oldObject: unknown): void {
  const admission = makeAdmission(object, { kind, operation, oldObject });
  const before = JSON.stringify(object);
  const problems = checkRequest(admission, CLUSTER);
  const verdict = createCheckJudge(CLUSTER)(admission);
  expect(JSON.stringify(object)).toBe(before);
  expect(checkRequest(admission, CLUSTER)).toEqual(problems);
  expect(verdict.allowed).toBe(problems.every(({ severity }) => severity === 'warning'));
  expect(JSON.stringify(verdict).length).toBeLessThan(40_000);
  expect(JSON.stringify(problems)).not.toContain('secret-vm');
}

/** The work is a fixed number of runs and waits for nothing: how long it takes says only how busy the machine is. */
const TIMEOUT = 600_000;

describe('what anybody may write', { timeout: TIMEOUT }, () => {
  it('is answered, be it any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), KINDS, OPERATIONS, (object, old, kind, operation) =>
        examine(object, kind, operation, old),
      ),
      { numRuns: 300 },
    );
  });

  it('is answered, be it nearly an object', () => {
    fc.assert(
      fc.property(NEARLY, NEARLY, KINDS, OPERATIONS, (object, old, kind, operation) =>
        examine(object, kind, operation, old),
      ),
      { numRuns: 500 },
    );
  });

  it('is answered, be it an object of KubeVirt with any annotations', () => {
    const networks: VmNetwork[] = [
      { name: 'a', pod: {} },
      { name: 'b', multus: { networkName: 'default/attachnet' } },
    ];
    const interfaces = networks.map(({ name }) => ({ name, bridge: {} }));
    const spec = { domain: { devices: { interfaces } }, networks };
    fc.assert(
      fc.property(ANNOTATIONS, ANNOTATIONS, KINDS, OPERATIONS, (annotations, more, kind, operation) => {
        const vm = makeVm({ spec, annotations, vmAnnotations: more });
        examine({ ...vm, spec: { ...vm.spec, ...spec } }, kind, operation, vm);
      }),
      { numRuns: 500 },
    );
  });

  it('is never denied by an update that changes nothing', () => {
    fc.assert(
      fc.property(NEARLY, KINDS, (object, kind) => {
        const admission = makeAdmission(object, { kind, operation: 'UPDATE', oldObject: structuredClone(object) });
        expect(checkRequest(admission, CLUSTER).filter(({ severity }) => severity === 'denial')).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it("goes by the operator's own grammar of addresses", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), TEXT), (text) => {
        const spec = {
          domain: { devices: { interfaces: [{ name: 'a', bridge: {} }] } },
          networks: [{ name: 'a', pod: {} }],
        };
        const object = makeVm({ spec, annotations: { 'ovn.kubernetes.io/ip_address': text } });
        const isUnreadable = checkRequest(makeAdmission(object), CLUSTER).some(
          ({ reason }) => reason === 'InvalidRequest',
        );
        expect(isUnreadable).toBe(!parseIpText(text).ok);
      }),
      { numRuns: 200 },
    );
  });

  it.each<[string, unknown]>([
    [
      'many interfaces',
      {
        domain: {
          devices: { interfaces: Array.from({ length: 20_000 }, (_, index) => ({ name: `n${index}`, bridge: {} })) },
        },
        networks: Array.from({ length: 20_000 }, (_, index) => ({
          name: `n${index}`,
          multus: { networkName: 'none' },
        })),
      },
    ],
    [
      'a long name',
      {
        domain: { devices: { interfaces: [{ name: 'x'.repeat(200_000), bridge: {} }] } },
        networks: [{ name: 'x'.repeat(200_000), multus: { networkName: 'y'.repeat(200_000) } }],
      },
    ],
  ])('has an end with %s', (_cause, spec) => {
    const verdict = createCheckJudge(CLUSTER)(
      makeAdmission({ metadata: { name: 'db' }, spec: { template: { spec } } }),
    );
    expect(verdict.allowed).toBe(false);
    expect(verdict.message?.length).toBeLessThan(12_000);
  });

  it('is not read where it is more than the API server takes of any object', () => {
    const spec = {
      domain: { devices: { interfaces: [{ name: 'a', bridge: {} }] } },
      networks: [{ name: 'a', pod: {} }],
    };
    const make = (length: number) =>
      makeVm({ spec, annotations: { 'ovn.kubernetes.io/ip_address': 'x', y: 'y'.repeat(length) } });
    const tell = (object: unknown) => checkRequest(makeAdmission(object), CLUSTER).map(({ message }) => message);
    expect(tell(make(262_144))).toEqual([expect.stringMatching(/longer than 256 KiB/)]);
    expect(tell(make(262_000))).toEqual([expect.stringMatching(/"x" is not an IP address/)]);
  });
});
