import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type KubeObject, type Metrics, noMetrics } from '../../../kube/index.ts';
import { eventually } from '../../../kube/testing/eventually.ts';
import { createHarness, type Harness } from '../../../kube/testing/harness.ts';
import { createInspector, type Inspector, type InspectorOptions } from './inspector.ts';

const GROUP = 'admissionregistration.k8s.io/v1';
const POLICIES = `${GROUP}/validatingadmissionpolicies`;
const BINDINGS = `${GROUP}/validatingadmissionpolicybindings`;
const NAMES = ['mooring-launcher', 'mooring-node'];
const LOOK_MS = 10_000;

let h: Harness;
let inspector: Inspector;
let counts: [name: string, labels?: Record<string, string>][];
beforeEach(async () => {
  h = await createHarness();
  counts = [];
  for (const name of NAMES) {
    h.server.storage.create(POLICIES, { metadata: { name }, spec: { validations: [] } } as KubeObject);
    makeBinding(name);
  }
});
afterEach(async () => {
  await inspector.stop();
  await h[Symbol.asyncDispose]();
});

function makeBinding(name: string): void {
  const spec = { policyName: name, validationActions: ['Deny'] };
  h.server.storage.create(BINDINGS, { metadata: { name }, spec } as KubeObject);
}

function start(objects: InspectorOptions['objects'] = []): void {
  const { transport, clock, log } = h;
  const metrics: Metrics = { ...noMetrics, count: (name, labels = {}) => counts.push([name, labels]) };
  inspector = createInspector({
    ...{ transport, clock, log, metrics, objects },
    random: () => 0.5,
    policies: NAMES,
  });
  inspector.start();
}

const listTold = () =>
  h.log.lines.flatMap(({ level, message, fields: { kind, name, what } }) =>
    message.includes('part of the installation')
      ? `${level} ${kind} ${name}${what === undefined ? '' : `: ${what}`}`
      : [],
  );
const listGaps = () => counts.flatMap(([name, labels]) => (name === 'admission_gaps' ? [labels] : []));
const countWatches = () => h.server.requests.filter(({ verb }) => verb === 'watch').length;
const whenFollowed = (count = 2) => eventually('both watches', () => countWatches() >= count);
const look = async () => {
  await eventually('the wait for the next look', () => h.clock.pending().includes(LOOK_MS));
  h.clock.advance(LOOK_MS);
};

const lookUntil = (what: string, isTold: () => boolean) =>
  eventually(what, () => {
    h.clock.advance(1000);
    return isTold();
  });

describe('parts of the installation', () => {
  it('that are all there are not talked of', async () => {
    start();
    await whenFollowed();
    await look();
    expect(listTold()).toEqual([]);
    expect(listGaps()).toEqual([]);
  });

  it('that somebody takes away are told once, by log and metric, and once more when they are back', async () => {
    start();
    await whenFollowed();
    h.server.storage.remove(BINDINGS, 'mooring-node');
    const lost = ['error ValidatingAdmissionPolicyBinding mooring-node: it is not there'];
    await lookUntil('the loss', () => listTold().length > 0);
    h.clock.advance(LOOK_MS);
    h.clock.advance(LOOK_MS);
    expect(listTold()).toEqual(lost);
    expect(listGaps()).toEqual([{ kind: 'ValidatingAdmissionPolicyBinding', name: 'mooring-node' }]);
    makeBinding('mooring-node');
    await lookUntil('the end of it', () => listTold().length > 1);
    expect(listTold()).toEqual([...lost, 'info ValidatingAdmissionPolicyBinding mooring-node']);
  });

  it('that may not be read are not taken for missing', async () => {
    h.server.fault = () => ({ status: 403, message: 'no' });
    start();
    const refusals = () => h.log.lines.filter(({ message }) => message.startsWith('cannot tell')).length;
    await eventually('both refusals', () => refusals() >= 2);
    await look();
    await eventually('both refusals again', () => refusals() >= 4);
    await look();
    expect(listTold()).toEqual([]);
  });

  it('are all away where the API server knows no policies', async () => {
    h.server.fault = () => ({ status: 404, message: 'no such kind' });
    start();
    await lookUntil('all of them', () => listTold().length >= 2 * NAMES.length);
    expect(listTold()).toHaveLength(2 * NAMES.length);
  });

  it('that somebody follows by their name are missing only once that was read', async () => {
    const watch = (hasSynced: boolean, objects: KubeObject[]) => ({
      hasSynced: () => hasSynced,
      store: { get: () => undefined, list: () => objects, byIndex: () => [], size: () => objects.length },
    });
    start([
      { kind: 'Secret', name: 'gone', watch: watch(true, []) },
      { kind: 'Secret', name: 'unread', watch: watch(false, []) },
      { kind: 'Secret', name: 'there', watch: watch(true, [{}]) },
    ]);
    await whenFollowed();
    await look();
    expect(listTold()).toEqual(['error Secret gone: it is not there']);
  });
});
