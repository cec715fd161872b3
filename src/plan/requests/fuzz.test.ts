import { setImmediate as breathe } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { parseAddress, parseMac } from '../../api/address.ts';
import type { Result } from '../../api/problem.ts';
import { parsePoolText } from '../wishes/pool.ts';
import { parseRoutesText } from '../wishes/route.ts';
import { parseClaimReferences, parseDefaultNetwork, parseReference, parseSelections } from '../wishes/selection.ts';
import { makeRandom, mutate } from '../wishes/testing/mutate.ts';
import { isObjectName, parseIpText, parseMacText, parseNameText } from '../wishes/values.ts';
import { planNad } from './nad.ts';
import { planPodRequests, planVmRequests } from './requests.ts';
import { makePool, makeRequestContext, podWith, vmWith } from './testing/requests.ts';
import type { NicRequest, RequestPlan } from './types.ts';

/** The work is a fixed number of runs and waits for nothing: how long it takes says only how busy the machine is. */
const TIMEOUT = 900_000;
/** Runs between two moments in which the worker can answer vitest, which gives one up that is silent for a minute. */
const BREATH = 1000;

const NETWORKS = [
  'default/macvlan,attachnet@nic1, dual',
  '[{"name":"attachnet","namespace":"default","interface":"biz","ips":["172.17.0.20/16"],"mac":"02:00:00:00:00:01"}]',
  '[{"name":"dual","default-route":["10.5.0.9","fd05::9"]},{"name":"attachnet","ipam-claim-reference":"vm.biz"}]',
  '[{"name":"secret","namespace":"prod","cni-args":{"a":{"b":[1,2,3]}},"portMappings":[{"hostPort":1}]}]',
];
const CONFIGS = [
  '{"cniVersion":"0.3.0","type":"macvlan","master":"eth0","mode":"bridge","ipam":{"type":"mooring","provider":"n.d"}}',
  '{"cniVersion":"0.3.0","type":"mooring","provider":"n.d.ovn"}',
  '{"cniVersion":"0.3.1","name":"m","plugins":[{"type":"kube-ovn"},{"type":"portmap","capabilities":{"portMappings":true}}]}',
];
const NICS = [
  '{"eth0":{"subnet":"default","ips":["10.0.0.7"],"mac":"02:00:00:00:00:01","pool":"web","binding":"bridge"}}',
  '{"default":{"securityGroups":["web","db"],"releasePolicy":"OnStop","pool":"10.0.0.7,10.0.0.8"},"biz":{}}',
];
const ADDRESSES = ['{"default":["10.0.0.7/24"],"eth0":["10.0.0.7","fd00::7"]}', '{"biz":["172.17.0.20"]}'];
const POOLS = ['10.0.0.15,10.0.0.16,10.0.0.17', '10.0.0.15,fd00::15;10.0.0.16,fd00::16', 'web', '10.0.0.15'];
const ROUTES = ['[{"dst":"192.168.0.101/24","gw":"10.0.0.254"},{"gw":"10.0.0.254"}]', '[{"dst":"fd09::/64"}]'];
const VALUES = ['10.0.0.15', 'fd00::15,10.0.0.15', '00:00:00:53:6B:B6', 'net1', 'Retain', 'true', 'default/attachnet'];

const FORMS: readonly (readonly [key: string, values: readonly string[]])[] = [
  ['k8s.v1.cni.cncf.io/networks', NETWORKS],
  ['v1.multus-cni.io/default-network', ['default/attachnet', 'default/macvlan', NETWORKS[1] ?? '']],
  ['mooring.dev/nics', NICS],
  ['network.kubevirt.io/addresses', ADDRESSES],
  ['mooring.dev/release-policy', ['Retain', 'OnStop']],
  ['mooring.dev/adopt', ['true', 'false']],
  ...['', 'attachnet.default.', 'secret.prod.'].flatMap((prefix): [string, readonly string[]][] => [
    [`${prefix}ovn.kubernetes.io/ip_address`, VALUES],
    [`${prefix}ovn.kubernetes.io/mac_address`, VALUES],
    [`${prefix}ovn.kubernetes.io/ip_pool`, POOLS],
    [`${prefix}ovn.kubernetes.io/logical_switch`, ['default', 'net1', 'secret']],
    [`${prefix}ovn.kubernetes.io/routes`, ROUTES],
  ]),
  ['macvlan.default.kubernetes.io/ip_address', VALUES],
  ['attachnet.default.ovn.nic1.kubernetes.io/ip_address', VALUES],
];

afterEach(() => {
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as Record<string, unknown>).subnet).toBeUndefined();
});

/** What must hold of every answer: it is one, it is short, and the same text gets the same again. */
async function check(parse: (text: string) => Result<unknown>, corpus: readonly string[], runs: number): Promise<void> {
  const random = makeRandom(runs);
  let accepted = 0;
  for (let run = 0; run < runs; run += 1) {
    const text = mutate(corpus[run % corpus.length] ?? '', corpus, random);
    const result = parse(text);
    if (result.ok) accepted += 1;
    else if (result.problem.message.length > 1000) throw new Error(`a long message for ${JSON.stringify(text)}`);
    if (run % BREATH !== 0) continue;
    expect(parse(text)).toEqual(result);
    await breathe();
  }
  expect(accepted).toBeGreaterThan(runs / 1000);
  expect(accepted).toBeLessThan(runs);
}

describe('F40 F41 F59 10^6 mutations: never a throw, never more than is asked', () => {
  const nad = (config: string) => planNad({ metadata: { namespace: 'd', name: 'n' }, spec: { config } });

  it.each<[string, (text: string) => Result<unknown>, readonly string[], number]>([
    ['selections', (text) => parseSelections(text, 'default'), NETWORKS, 150_000],
    ['default networks', parseDefaultNetwork, ['default/attachnet', NETWORKS[1] ?? ''], 100_000],
    ['claim references', (text) => parseClaimReferences(text, 'default'), NETWORKS, 50_000],
    ['references', (text) => parseReference(text, 'default'), ['default/attachnet', 'attachnet@nic1'], 200_000],
    ['NADs', nad, CONFIGS, 100_000],
    ['pools', parsePoolText, POOLS, 100_000],
    ['routes', parseRoutesText, ROUTES, 150_000],
  ])('%s', (_name, parse, corpus, runs) => check(parse, corpus, runs), TIMEOUT);

  it(
    'addresses, MACs and names',
    async () => {
      await check(
        (text) =>
          [parseIpText(text), parseMacText(text), parseNameText(text)].find(({ ok }) => ok) ?? parseIpText(text),
        VALUES,
        100_000,
      );
    },
    TIMEOUT,
  );

  const context = makeRequestContext({ pools: [makePool('web')] });
  const granted = new Set(['default', 'attachnet', 'dual', 'macvlan']);

  const isGranted = ({ subnet, pool }: NicRequest): boolean =>
    granted.has(subnet) && (pool?.kind !== 'named' || pool.name === 'web');

  const isWellFormed = ({ ips = [], mac, ipamClaim, routes = [] }: NicRequest): boolean =>
    ips.length <= 2 &&
    ips.every((ip) => parseAddress(ip) !== undefined) &&
    (mac === undefined || parseMac(mac) === mac) &&
    isObjectName(ipamClaim ?? 'none') &&
    routes.length <= 66 &&
    routes.every(({ gw }) => gw !== undefined);

  /** Nothing of a plan goes beyond what the namespace `default` was granted (I13), and all of it is well-formed. */
  function checkPlan({ requests, problems }: RequestPlan, max: number): void {
    const names = [...requests, ...problems].map(({ nic }) => nic);
    if (names.length > max || new Set(names).size !== names.length) throw new Error(`NICs: ${names.join()}`);
    const bad = requests.find((request) => !isGranted(request) || !isWellFormed(request));
    if (bad !== undefined) throw new Error(JSON.stringify(bad));
    for (const { problem } of problems) if (problem.message.length > 1500) throw new Error(problem.message);
  }

  function draw(random: () => number): Record<string, string> {
    const annotations: Record<string, string> = Object.create(null) as Record<string, string>;
    for (let count = 1 + Math.floor(random() * 4); count > 0; count -= 1) {
      const [key, values] = FORMS[Math.floor(random() * FORMS.length)] ?? ['', []];
      const value = values[Math.floor(random() * values.length)] ?? '';
      annotations[random() < 0.05 ? mutate(key, [], random) : key] =
        random() < 0.3 ? value : mutate(value, values, random);
    }
    return annotations;
  }

  it(
    'pods',
    async () => {
      const random = makeRandom(9);
      let answered = 0;
      for (let run = 0; run < 30_000; run += 1) {
        const plan = planPodRequests(podWith(draw(random)), context);
        checkPlan(plan, 33);
        answered += plan.requests.length;
        if (run % BREATH === 0) await breathe();
      }
      expect(answered).toBeGreaterThan(3_000);
    },
    TIMEOUT,
  );

  it(
    'VMs',
    async () => {
      const random = makeRandom(10);
      let answered = 0;
      for (let run = 0; run < 20_000; run += 1) {
        const [nic, nad] =
          random() < 0.7
            ? ['biz', 'default/attachnet']
            : [mutate('biz', ['nic1'], random), mutate('attachnet', VALUES, random)];
        const sources = [
          { from: 'the VM', annotations: draw(random) },
          { from: 'the template', annotations: draw(random) },
        ];
        const plan = planVmRequests(vmWith({ default: 'pod', [nic]: nad }), sources, context);
        checkPlan(plan, 2);
        answered += plan.requests.length;
        if (run % BREATH === 0) await breathe();
      }
      expect(answered).toBeGreaterThan(2_000);
    },
    TIMEOUT,
  );
});

describe('F42 what is too large', () => {
  const huge = 'x'.repeat(1_000_000);
  const nads = Array.from({ length: 10_000 }, (_, index) => `n${index}`);

  it.each<[string, Record<string, string>]>([
    ['10,000 networks by name', { 'k8s.v1.cni.cncf.io/networks': nads.join() }],
    ['10,000 short ones', { 'k8s.v1.cni.cncf.io/networks': 'a,'.repeat(10_000) }],
    ['1,000 in JSON', { 'k8s.v1.cni.cncf.io/networks': JSON.stringify(nads.slice(0, 1000).map((name) => ({ name }))) }],
    [
      '1 MB of cni-args',
      { 'k8s.v1.cni.cncf.io/networks': JSON.stringify([{ name: 'attachnet', 'cni-args': { huge } }]) },
    ],
    ['brackets', { 'k8s.v1.cni.cncf.io/networks': '['.repeat(60_000) }],
    ['a NIC table', { 'mooring.dev/nics': JSON.stringify({ eth0: { subnet: huge } }) }],
    [
      'a table of many NICs',
      { 'mooring.dev/nics': JSON.stringify(Object.fromEntries(nads.slice(0, 100).map((name) => [name, {}]))) },
    ],
    ['a list of addresses', { 'ovn.kubernetes.io/ip_address': '10.0.0.7,'.repeat(10_000) }],
    ['a pool', { 'ovn.kubernetes.io/ip_pool': huge }],
    ['routes', { 'ovn.kubernetes.io/routes': `[${huge}]` }],
    ['a default network', { 'v1.multus-cni.io/default-network': huge }],
    ['a name', { 'ovn.kubernetes.io/logical_switch': huge }],
  ])('%s: refused in a few words', (_cause, annotations) => {
    const { requests, problems } = planPodRequests(podWith(annotations), makeRequestContext());
    expect(requests).toEqual([]);
    expect(problems).toMatchObject([{ nic: 'eth0', problem: { reason: 'InvalidRequest' } }]);
    expect(JSON.stringify(problems).length).toBeLessThan(700);
  });
});
