import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planPodRequests, planVmRequests } from './requests.ts';
import { makePool, makeRequestContext, podWith, vmWith } from './testing/requests.ts';
import type { RequestPlan } from './types.ts';

/** The work is a fixed number of runs and waits for nothing: how long it takes says only how busy the machine is. */
const TIMEOUT = 900_000;

const context = makeRequestContext({ pools: [makePool('web')] });
const SPEC = vmWith({ default: 'pod', biz: 'default/attachnet' });

const VALUES: Record<string, readonly string[]> = {
  'ovn.kubernetes.io/ip_address': ['10.0.0.7', '10.0.0.8', '10.0.0.7,fd00::7', 'x'],
  'ovn.kubernetes.io/mac_address': ['02:00:00:00:00:0A', '02:00:00:00:00:0a', '02:00:00:00:00:0b'],
  'ovn.kubernetes.io/ip_pool': ['10.0.0.7,10.0.0.8', 'web', 'none'],
  'ovn.kubernetes.io/logical_switch': ['default', 'net1', 'x'],
  'ovn.kubernetes.io/routes': ['[{"gw":"10.0.0.9"}]', '[{"dst":"10.9.0.0/16"}]', '['],
  'attachnet.default.ovn.kubernetes.io/ip_address': ['172.17.0.20', '172.17.0.21'],
  'attachnet.default.kubernetes.io/ip_address': ['172.17.0.20'],
  'attachnet.default.ovn.biz.kubernetes.io/ip_address': ['172.17.0.20', '172.17.0.22'],
  'mooring.dev/nics': [
    '{"biz":{"ips":["172.17.0.20"]}}',
    '{"default":{"ips":["10.0.0.8"]},"eth0":{"pool":"web"}}',
    '{',
  ],
  'mooring.dev/release-policy': ['Retain', 'OnStop', 'x'],
  'mooring.dev/adopt': ['true', 'false'],
  'network.kubevirt.io/addresses': ['{"default":["10.0.0.7"]}', '{"biz":["172.17.0.21"]}'],
};

/** Some of the keys, each with one of its values. */
const annotations = fc
  .subarray(Object.entries(VALUES))
  .chain((some) => fc.tuple(...some.map(([key, values]) => fc.tuple(fc.constant(key), fc.constantFrom(...values)))));

/** The plan without the wording: of two who disagree, each may be named first. */
const shape = ({ requests, problems }: RequestPlan): unknown => ({
  requests,
  problems: problems.map(({ nic, problem }) => `${nic} ${problem.reason}`),
});

describe('the outcome does not depend on the order', { timeout: TIMEOUT }, () => {
  it('of the annotations of an object', () => {
    fc.assert(
      fc.property(annotations, (entries) => {
        const plan = (list: typeof entries) => planPodRequests(podWith(Object.fromEntries(list)), context);
        expect(plan(entries.toReversed())).toEqual(plan(entries));
      }),
      { seed: 3, numRuns: 3000 },
    );
  });

  it('of the objects that speak for a VM, and disagreement is symmetric', () => {
    fc.assert(
      fc.property(annotations, annotations, (one, other) => {
        const sources = [one, other].map((list, index) => ({
          from: `${index}`,
          annotations: Object.fromEntries(list),
        }));
        const plan = (list: typeof sources) => shape(planVmRequests(SPEC, list, context));
        expect(plan(sources.toReversed())).toEqual(plan(sources));
      }),
      { seed: 4, numRuns: 3000 },
    );
  });

  it('and two objects that say the same are as one', () => {
    fc.assert(
      fc.property(annotations, (list) => {
        const source = { from: 'one', annotations: Object.fromEntries(list) };
        const once = planVmRequests(SPEC, [source], context);
        expect(shape(planVmRequests(SPEC, [source, { ...source, from: 'other' }], context))).toEqual(shape(once));
      }),
      { seed: 5, numRuns: 1000 },
    );
  });
});
