import { describe, expect, it } from 'vitest';
import type { Admission } from './admission.ts';
import { makeCluster } from './checks/testing/cluster.ts';
import { createJudges } from './judges.ts';
import { type Records, UnknownKind } from './records.ts';
import { compose } from './server/compose.ts';
import type { Judges } from './server/hook.ts';
import { formatAdmission } from './server/testing.ts';

const DEFAULTS = { binding: 'auto', defaultSubnet: 'default', defaultVpc: 'default', primary: true } as const;
const neverFails = (_name: string, error: unknown) => {
  throw error;
};
const SIDECAR = { image: 'r/mooring:2', pullPolicy: 'IfNotPresent' };
const { mutate, validate } = createJudges(makeCluster(), DEFAULTS, SIDECAR);
const [change, check] = [compose(mutate, neverFails), compose(validate, neverFails)];

function ask(nics: object, more: Partial<Admission> = {}): Admission {
  const annotations = { 'mooring.dev/nics': JSON.stringify(nics) };
  const devices = { interfaces: [{ name: 'default' }] };
  const networks = [{ name: 'default', pod: {} }];
  const object = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name: 'web', namespace: 'ns1', annotations },
    spec: { template: { spec: { domain: { devices }, networks } } },
  };
  return formatAdmission({ namespace: 'ns1', object, ...more });
}

/** The look-ups that need each kind. */
const LOOKUPS: Readonly<Record<string, readonly (keyof Records)[]>> = {
  IPPool: ['listPools'],
  Subnet: ['findSubnet', 'listSubnets'],
  NetworkAttachmentDefinition: ['findNad'],
  VirtualMachine: ['findVm'],
  KubeVirt: ['findKubevirt'],
};

/** The cluster as it is seen while one kind was not read yet. */
function makeClusterWithout(kind: string): Records {
  const blind = () => {
    throw new UnknownKind(kind);
  };
  return { ...makeCluster(), ...Object.fromEntries((LOOKUPS[kind] ?? []).map((name) => [name, blind])) };
}

const METADATA = { name: 'web', namespace: 'ns1' };
const makeSpec = (networkName?: string) => ({
  domain: { devices: { interfaces: [{ name: 'default', bridge: {} }] } },
  networks: [{ name: 'default', ...(networkName === undefined ? { pod: {} } : { multus: { networkName } }) }],
});
const askAnnotated = (annotations: object, spec: object = makeSpec()) =>
  ask({}, { object: { metadata: METADATA, spec: { template: { metadata: { annotations }, spec } } } });

/** A VMI with the mistake of its VM, which was told when that was written. */
function askOfVm(): Admission {
  const owner = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name: 'web', uid: 'u', controller: true };
  const metadata = {
    ...METADATA,
    annotations: { 'ovn.kubernetes.io/logical_switch': 'default', 'ovn.kubernetes.io/ip_address': '10.0.0.254' },
    ownerReferences: [owner],
  };
  return ask({}, { kind: 'VirtualMachineInstance', object: { metadata, spec: makeSpec() } });
}

describe('of a kind that the webhook may not read yet', () => {
  it.each<[kind: string, judges: keyof Judges, admission: Admission]>([
    ['NetworkAttachmentDefinition', 'validate', askAnnotated({}, makeSpec('ns1/coming'))],
    ['Subnet', 'validate', askAnnotated({ 'ovn.kubernetes.io/logical_switch': 'coming' })],
    ['IPPool', 'validate', askAnnotated({ 'ovn.kubernetes.io/ip_pool': 'coming' })],
    ['VirtualMachine', 'validate', askOfVm()],
    ['KubeVirt', 'mutate', ask({ default: { binding: 'managedTap' } })],
  ])('%s: nobody is refused because nothing is seen of it', (kind, which, admission) => {
    expect(compose(createJudges(makeCluster(), DEFAULTS)[which], neverFails)(admission).allowed).toBe(false);
    const errors: unknown[] = [];
    const blind = createJudges(makeClusterWithout(kind), DEFAULTS)[which];
    const verdict = compose(blind, (_name, error) => errors.push(error))(admission);
    expect(verdict).toMatchObject({ allowed: true, patch: [] });
    expect(verdict.warnings).toContainEqual(expect.stringContaining(`cannot see any ${kind} `));
    for (const error of errors) expect(error).toEqual(new UnknownKind(kind));
  });

  it('nothing keeps who does not need it from being judged', () => {
    const blind = createJudges(makeClusterWithout('NetworkAttachmentDefinition'), DEFAULTS, SIDECAR);
    const wrong = ask({ default: { ips: ['172.16.0.1'] } });
    expect(compose(blind.validate, neverFails)(wrong).allowed).toBe(false);
    expect(compose(blind.mutate, neverFails)(ask({})).patch).toEqual(change(ask({})).patch);
  });
});

describe('the judges of the webhook', () => {
  it('write the binding that the cluster’s default policy asks for', () => {
    const verdict = change(ask({}));
    expect(verdict.allowed).toBe(true);
    expect(JSON.stringify(verdict.patch)).toMatch(/bridge|managedTap|masquerade/);
  });

  it('look at guests that are to be configured only where the sidecar has an image', () => {
    expect(mutate.map(({ name }) => name)).toEqual(['bindings', 'sidecar']);
    expect(createJudges(makeCluster(), DEFAULTS).mutate.map(({ name }) => name)).toEqual(['bindings']);
  });

  it('refuse what the operator would refuse later', () => {
    const verdict = check(ask({ default: { ips: ['172.16.0.1'] } }));
    expect(verdict).toMatchObject({ allowed: false, message: expect.stringContaining('172.16.0.1') });
    expect(verdict.isPerhapsLate).toBe(false);
  });

  it('want to think again of a subnet that may have been made a moment ago', () => {
    expect(check(ask({ default: { subnet: 'coming' } }))).toMatchObject({ allowed: false, isPerhapsLate: true });
  });

  it('say what a change of a running machine needs', () => {
    const { object } = ask({});
    const vmi = {
      ...(object as { spec: { template: object } }).spec.template,
      metadata: { name: 'web', namespace: 'ns1' },
    };
    const judges = createJudges(makeCluster({ vmis: [vmi] }), DEFAULTS);
    const down = JSON.parse(JSON.stringify(object).replace('"name":"default"}]', '"name":"default","state":"down"}]'));
    const verdict = compose(
      judges.validate,
      neverFails,
    )(ask({}, { operation: 'UPDATE', object: down, oldObject: object }));
    expect(verdict).toMatchObject({
      allowed: true,
      warnings: [expect.stringMatching(/^NIC "default": link down at once/)],
    });
  });

  it('have nothing against a machine without requests', () => {
    expect(check(ask({}))).toMatchObject({ allowed: true, patch: [] });
  });

  it.each([null, 'text', { metadata: null }, { spec: [] }, { metadata: { annotations: 7 } }])(
    'answer for an object that is %j',
    (object) => {
      for (const judge of [change, check]) expect(judge(ask({}, { object })).allowed).toBeTypeOf('boolean');
    },
  );
});
