import { describe, expect, it } from 'vitest';
import type { KubeVirt } from '../../api/objects.ts';
import type { MigrationNetwork, Subnet } from '../../api/types.gen.ts';
import { makeSubnet } from '../networks/testing/subnets.ts';
import { planMigrationNetwork } from './plan.ts';
import {
  MOMENT,
  makeFacts,
  makeHandler,
  makeKubevirt,
  makeNad,
  makeNetwork,
  makeNode,
  makeVmi,
} from './testing/facts.ts';
import type { MigrationFacts, MigrationPlan } from './types.ts';

const OURS = 'mooring-migration-lab';
const own = (network: string) => [
  { apiVersion: 'mooring.dev/v1alpha1', kind: 'MigrationNetwork', name: network, uid: 'mn', controller: true },
];
const ownSubnet = (over: Partial<Subnet['metadata']> = {}): Subnet => {
  const subnet = makeSubnet('migration-lab', { cidrBlock: '198.18.2.0/24' });
  return { ...subnet, metadata: { ...subnet.metadata, ownerReferences: own('lab'), ...over } };
};
const ownNad = (name = OURS) => {
  const nad = makeNad(name, { type: 'macvlan' });
  return { ...nad, metadata: { ...nad.metadata, ownerReferences: own('lab') } };
};
const set = (owner = 'lab', network = OURS): KubeVirt => makeKubevirt({ network }, { owner, network });
const MADE = { subnets: [ownSubnet()], nads: [ownNad()] };
const THREE = ['n1', 'n2', 'n3'].map((node, at) => makeHandler(node, { address: `198.18.2.${at + 2}` }));

/** What a plan does and says, in a few words. */
function describePlan(plan: MigrationPlan): { does: string[]; says: string } {
  const { conditions = [] } = plan.status as NonNullable<MigrationNetwork['status']>;
  const ready = conditions.find(({ type }) => type === 'Ready');
  return {
    does: [
      ...(plan.subnet ? [`make ${plan.subnet.metadata.name}`] : []),
      ...(plan.definition ? [`make ${plan.definition.metadata.name}`] : []),
      ...(plan.kubevirt
        ? [`tell ${JSON.stringify((plan.kubevirt.patch as KubeVirt).spec?.configuration?.migrations)}`]
        : []),
      ...[...plan.remove.subnets, ...plan.remove.nads].map(({ metadata }) => `remove ${metadata.name}`),
      ...(plan.isGone ? ['go'] : []),
    ],
    says: `${ready?.status} ${ready?.reason}`,
  };
}

const judge = (over: Partial<MigrationFacts>, network = makeNetwork()) =>
  describePlan(planMigrationNetwork(network, makeFacts({ networks: [network], ...over }), MOMENT));
const messageOf = (over: Partial<MigrationFacts>, network = makeNetwork()): string | undefined => {
  const { status } = planMigrationNetwork(network, makeFacts({ networks: [network], ...over }), MOMENT);
  return (status as NonNullable<MigrationNetwork['status']>).conditions?.[0]?.message;
};

const BOTH = ['make migration-lab', `make ${OURS}`];
const TELL = `tell ${JSON.stringify({ network: OURS })}`;

describe('a migration network comes into being', () => {
  it.each<[string, Partial<MigrationFacts>, string[], string]>([
    ['first its Subnet and definition', {}, BOTH, 'False SubnetNotReady'],
    ['with the Subnet alone KubeVirt is not told', { subnets: [ownSubnet()] }, BOTH, 'False SubnetNotReady'],
    ['with the definition alone neither', { nads: [ownNad()] }, BOTH, 'False SubnetNotReady'],
    [
      'nor while its Subnet is being deleted',
      { ...MADE, subnets: [ownSubnet({ deletionTimestamp: 'x' })] },
      BOTH,
      'False SubnetNotReady',
    ],
    [
      'nor while its Subnet is of no use',
      { ...MADE, subnetProblem: { reason: 'CIDROverlap', message: 'x' } },
      BOTH,
      'False SubnetNotReady',
    ],
    ['then KubeVirt is told', { ...MADE, handlers: [makeHandler('n1')] }, [...BOTH, TELL], 'False VirtHandlersRolling'],
    ['told once', { ...MADE, kubevirts: [set()], handlers: [makeHandler('n1')] }, BOTH, 'False VirtHandlersRolling'],
    ['without a virt-handler nobody can migrate', { ...MADE, kubevirts: [set()] }, BOTH, 'False VirtHandlerNotRunning'],
    [
      'one virt-handler lags behind',
      { ...MADE, kubevirts: [set()], handlers: [...THREE.slice(1), makeHandler('n1')] },
      BOTH,
      'False VirtHandlersRolling',
    ],
    ['all have it', { ...MADE, kubevirts: [set()], handlers: THREE }, BOTH, 'True Ready'],
    [
      'a node comes whose virt-handler does not run yet',
      { ...MADE, kubevirts: [set()], handlers: THREE, nodes: [makeNode('n4')] },
      BOTH,
      'False VirtHandlersRolling',
    ],
  ])('%s', (_state, over, does, says) => {
    expect(judge(over)).toEqual({ does, says });
  });

  it('says how far it is, and that it restarts every virt-handler', () => {
    const handlers = [...THREE.slice(1), makeHandler('n1', { phase: 'Pending' })];
    expect(messageOf({ ...MADE, kubevirts: [set()], handlers })).toBe(
      '2 of 3 virt-handlers have migration0; KubeVirt restarts every one of them; node n1: the pod is "Pending"',
    );
    expect(messageOf({ ...MADE, kubevirts: [set()], handlers: THREE })).toBe('3 of 3 virt-handlers have migration0');
  });
});

describe('a migration network is refused, and nothing is made or removed', () => {
  const other = makeNetwork({}, { name: 'older', creationTimestamp: '2026-11-21T10:00:00Z' });
  it.each<[string, Partial<MigrationFacts>, string]>([
    ['beside an older one', { networks: [makeNetwork(), other] }, 'OtherMigrationNetwork'],
    [
      'beside an older one that is going',
      { networks: [{ ...other, metadata: { ...other.metadata, deletionTimestamp: 'x' } }] },
      'OtherMigrationNetwork',
    ],
    ['without KubeVirt', { kubevirts: [] }, 'KubevirtNotFound'],
    ['with the range of a Subnet', { subnets: [makeSubnet('s', { cidrBlock: '198.18.0.0/16' })] }, 'OverlapsBusiness'],
    ['with the uplink of guests', { uplinks: new Map([['n1', 'eth1']]) }, 'UplinkShared'],
    ['with a Subnet of that name by somebody else', { subnets: [makeSubnet('migration-lab', {})] }, 'NameTaken'],
    ['with a definition of that name by somebody else', { nads: [makeNad(OURS, {})] }, 'NameTaken'],
    ['with a network that a user has set', { kubevirts: [makeKubevirt({ network: 'theirs' })] }, 'NetworkSetByUser'],
    [
      'with a user who took it over later',
      { ...MADE, kubevirts: [makeKubevirt({ network: 'theirs' }, { owner: 'lab', network: OURS })] },
      'NetworkSetByUser',
    ],
  ])('%s', (_cause, over, reason) => {
    expect(judge(over)).toEqual({ does: [], says: `False ${reason}` });
  });

  it.each<[string, Parameters<typeof makeNetwork>[0], string]>([
    ['with more nodes than addresses', { cidrBlock: '198.18.2.0/30' }, 'SubnetFull'],
    ['with a definition that is not there', { nad: 'wire' }, 'NetworkAttachmentNotFound'],
    ['with a range that is none', { cidrBlock: 'x' }, 'InvalidCIDR'],
  ])('%s', (_cause, spec, reason) => {
    expect(judge({ handlers: THREE }, makeNetwork(spec))).toEqual({ does: [], says: `False ${reason}` });
  });

  it('while it is in use already stays in use: a Subnet that came later takes nothing away', () => {
    const subnets = [ownSubnet(), makeSubnet('later', { cidrBlock: '198.18.2.0/25' })];
    expect(judge({ ...MADE, subnets, kubevirts: [set()], handlers: THREE })).toEqual({
      does: [],
      says: 'False OverlapsBusiness',
    });
  });

  it('forgets nothing of the memory that went over it, and nothing of nodes that it cannot know stays', () => {
    const last = { vmi: 'a/x', uid: 'x', target: 'n2', address: '198.18.2.7', network: 'Migration' as const, at: 'z' };
    const network = { ...makeNetwork(), status: { nodesReady: '3/3', lastMigrations: [last] } };
    const { status } = planMigrationNetwork(network, makeFacts({ networks: [network], kubevirts: [] }), MOMENT);
    expect(status).toMatchObject({ lastMigrations: [last], nodesReady: null, nodes: [], kubevirt: null });
  });
});

describe('a migration network changes', () => {
  const wire = makeNad('wire', { type: 'macvlan', master: 'eth1', ipam: { type: 'host-local' } });
  const network = makeNetwork({ nad: 'wire' });
  const nads = [ownNad(), wire];
  const tell = `tell ${JSON.stringify({ network: 'wire' })}`;
  it.each<[string, Partial<MigrationFacts>, string[]]>([
    [
      'to a definition of the user: KubeVirt first',
      { kubevirts: [set()], handlers: THREE },
      [tell, 'remove migration-lab'],
    ],
    [
      'then its own stays while virt-handlers use it',
      { kubevirts: [set('lab', 'wire')], handlers: THREE },
      ['remove migration-lab'],
    ],
    ['and goes after the last', { kubevirts: [set('lab', 'wire')] }, ['remove migration-lab', `remove ${OURS}`]],
  ])('%s', (_state, over, does) => {
    expect(judge({ subnets: [ownSubnet()], nads, ...over }, network).does).toEqual(does);
  });
});

describe('a migration network goes', () => {
  const network = makeNetwork({}, { deletionTimestamp: '2026-11-21T11:59:59Z' });
  it.each<[string, Partial<MigrationFacts>, string[], string]>([
    [
      'first KubeVirt gets back what it had',
      { ...MADE, kubevirts: [set()], handlers: THREE },
      ['tell {"network":null}'],
      'False InUse',
    ],
    ['then every virt-handler leaves it', { ...MADE, handlers: THREE.slice(2) }, [], 'False InUse'],
    ['then Subnet and definition go', MADE, ['remove migration-lab', `remove ${OURS}`], 'False InUse'],
    [
      'then it waits for the Subnet',
      { subnets: [ownSubnet({ deletionTimestamp: 'x' })] },
      ['remove migration-lab'],
      'False InUse',
    ],
    ['then it goes itself', {}, ['go'], 'False InUse'],
    ['at once when KubeVirt is gone', { kubevirts: [] }, ['go'], 'False InUse'],
    [
      'with what it left when KubeVirt is gone',
      { ...MADE, kubevirts: [] },
      ['remove migration-lab', `remove ${OURS}`],
      'False InUse',
    ],
    [
      'but not while a user has named it in KubeVirt',
      { ...MADE, kubevirts: [makeKubevirt({ network: OURS })] },
      [],
      'False InUse',
    ],
    [
      'and leaves alone what a user has set meanwhile',
      { kubevirts: [makeKubevirt({ network: 'theirs' })] },
      ['go'],
      'False InUse',
    ],
    [
      'and leaves alone what is not its own',
      { subnets: [makeSubnet('migration-lab', {})], nads: [makeNad(OURS, {})] },
      ['go'],
      'False InUse',
    ],
    [
      'also one that was never active',
      { networks: [makeNetwork({}, { name: 'older', creationTimestamp: '2025' }), network], kubevirts: [set('older')] },
      ['go'],
      'False InUse',
    ],
  ])('%s', (_state, over, does, says) => {
    expect(judge(over, network)).toEqual({ does, says });
  });

  it('and says whom it waits for', () => {
    expect(messageOf({ ...MADE, handlers: THREE }, network)).toBe(
      'being deleted; waits for virt-handlers virt-handler-n1, virt-handler-n2, virt-handler-n3',
    );
    expect(messageOf({ ...MADE, kubevirts: [makeKubevirt({ network: OURS })] }, network)).toContain('still names it');
    expect(messageOf({ subnets: [ownSubnet()] }, network)).toContain('waits for Subnet migration-lab');
  });
});

describe('the status', () => {
  it('has those nodes first that are not ready', () => {
    const facts = { ...MADE, kubevirts: [set()], handlers: [...THREE.slice(0, 2), makeHandler('n3')] };
    const { status } = planMigrationNetwork(makeNetwork(), makeFacts(facts), MOMENT);
    expect(status).toMatchObject({
      kubevirt: { namespace: 'kubevirt', name: 'kubevirt', network: OURS },
      nodesReady: '2/3',
      nodes: [
        { node: 'n3', pod: 'virt-handler-n3', ready: false, reason: 'MigrationInterfaceMissing' },
        { node: 'n1', pod: 'virt-handler-n1', ready: true, address: '198.18.2.2' },
        { node: 'n2', ready: true },
      ],
    });
  });

  it('stays within what an object may hold, and counts all nodes', () => {
    const handlers = Array.from({ length: 600 }, (_, at) => makeHandler(`n${at}`));
    const network = makeNetwork({ cidrBlock: '198.18.0.0/20' });
    const { status } = planMigrationNetwork(network, makeFacts({ ...MADE, networks: [network], handlers }), MOMENT);
    expect(status.nodesReady).toBe('0/600');
    expect(status.nodes).toHaveLength(500);
  });

  it('and the events tell of memory that went over the pod network, and by whom', () => {
    const vmis = [
      makeVmi('good', { targetNodeAddress: '198.18.2.9' }),
      makeVmi('bad', { targetNodeAddress: '10.16.0.9' }),
    ];
    const plan = planMigrationNetwork(
      makeNetwork(),
      makeFacts({ ...MADE, kubevirts: [set()], handlers: THREE, vmis }),
      MOMENT,
    );
    expect(plan.news.map(({ vmi, network }) => `${vmi} ${network}`)).toEqual(['a/good Migration', 'a/bad Pod']);
    expect(plan.status.lastMigrations).toHaveLength(2);
  });

  it('is the same when it is made again from itself', () => {
    const facts = {
      ...MADE,
      kubevirts: [set()],
      handlers: THREE,
      vmis: [makeVmi('x', { targetNodeAddress: '198.18.2.9' })],
    };
    const first = planMigrationNetwork(makeNetwork(), makeFacts(facts), MOMENT).status;
    const network = { ...makeNetwork(), status: first as NonNullable<MigrationNetwork['status']> };
    const later = { ...MOMENT, now: '2026-11-21T13:00:00Z' };
    expect(planMigrationNetwork(network, makeFacts({ ...facts, networks: [network] }), later).status).toEqual(first);
  });
});
