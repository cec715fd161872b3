import { describe, expect, it } from 'vitest';
import { COLLECTIONS, until } from '../../../test/operator/stage.ts';
import { useStage } from '../../../test/operator/use-stage.ts';
import { createWholeClient, SCHEMA_FILES } from '../../../test/ovn/database.ts';
import type { KubeVirt, NetworkAttachmentDefinition } from '../../api/objects.ts';
import type { LogicalPort, MigrationNetwork } from '../../api/types.gen.ts';
import type { KubeObject } from '../../kube/index.ts';
import { eventually } from '../../kube/testing/eventually.ts';
import { insertOp, namedUuid, wireMap } from '../../ovsdb/operations.ts';

const MARK = 'mooring.dev/migration-network';
const SPEC = { uplink: { interface: 'eth1' }, cidrBlock: '198.18.2.0/24' };
const { stage, cast } = useStage();

const make = (name: string, spec: object = SPEC) =>
  stage.api.storage.create(COLLECTIONS.migrationNetworks, { metadata: { name }, spec } as KubeObject);
const find = <T>(kind: keyof typeof COLLECTIONS, key: string) =>
  (stage.api.storage.list(COLLECTIONS[kind]) as unknown as (T & { metadata: KubeObject['metadata'] })[]).find(
    ({ metadata }) => [metadata?.namespace, metadata?.name].filter(Boolean).join('/') === key,
  );
const findNetwork = (name: string) => find<MigrationNetwork>('migrationNetworks', name);
const findKubevirt = () => find<KubeVirt>('kubevirts', 'kubevirt/kubevirt');
const migrationsOf = () => findKubevirt()?.spec?.configuration?.migrations;
const listNads = () =>
  (stage.api.storage.list(COLLECTIONS.nads) as unknown as NetworkAttachmentDefinition[]).map(
    ({ metadata }) => metadata.name,
  );

const describeReady = (name: string): string => {
  const ready = findNetwork(name)?.status?.conditions?.find(({ type }) => type === 'Ready');
  return `${ready?.status} ${ready?.reason} ${ready?.message}`;
};
const whenReady = (name: string, text: string) =>
  eventually(`${name} ${text}`, () => describeReady(name).includes(text), 10_000).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${describeReady(name)}`);
  });

function makeKubevirt(migrations?: object) {
  const spec = { configuration: { evictionStrategy: 'LiveMigrate', ...(migrations && { migrations }) } };
  stage.api.storage.create(COLLECTIONS.kubevirts, {
    metadata: { name: 'kubevirt', namespace: 'kubevirt' },
    spec,
  } as KubeObject);
  stage.api.storage.create(COLLECTIONS.namespaces, { metadata: { name: 'kubevirt' } });
}

const LABELS = { 'kubevirt.io': 'virt-handler' };

/** A virt-handler's pod as virt-operator's DaemonSet makes it; it asks for the network that KubeVirt names then. */
function makeHandler(node: string, generation = 1) {
  const network = migrationsOf()?.network;
  const asked = network === undefined ? {} : { 'k8s.v1.cni.cncf.io/networks': `${network}@migration0` };
  stage.api.storage.create(COLLECTIONS.pods, {
    metadata: {
      name: `virt-handler-${node}-${generation}`,
      namespace: 'kubevirt',
      uid: `handler-${node}-${generation}`,
      labels: LABELS,
      annotations: asked,
    },
    spec: { nodeName: node },
    status: { phase: 'Running' },
  } as KubeObject);
}

/** What whoever attaches networks writes when the pod has them: the address is the one of its LogicalPort. */
async function attach(node: string, generation = 1) {
  const name = `virt-handler-${node}-${generation}`;
  // Without a free address the port is there and says so.
  const address = await until(
    `the address of ${name}`,
    async () => find<LogicalPort>('ports', `kubevirt/${name}.migration0.pod`)?.spec.ips[0],
  );
  const nad = `kubevirt/${migrationsOf()?.network}`;
  const status = JSON.stringify([
    { name: 'mooring', interface: 'eth0', ips: ['10.16.0.9'], default: true },
    { name: nad, interface: 'migration0', ips: [address] },
  ]);
  cast.patch('pods', `kubevirt/${name}`, {
    metadata: { annotations: { 'k8s.v1.cni.cncf.io/network-status': status } },
  });
  return address;
}

const removeHandler = (node: string, generation: number) =>
  cast.remove('pods', `kubevirt/virt-handler-${node}-${generation}`);

const NODES = ['n1', 'n2', 'n3'];

/** Every virt-handler is replaced by one that asks for what KubeVirt says now; with their addresses, when there are any. */
async function roll(generation: number): Promise<string[]> {
  const addresses: string[] = [];
  for (const node of NODES) {
    if (generation > 1) removeHandler(node, generation - 1);
    makeHandler(node, generation);
    if (migrationsOf()?.network !== undefined) addresses.push(await attach(node, generation));
  }
  return addresses;
}

describe('a MigrationNetwork', () => {
  it('makes Subnet and definition, tells KubeVirt, and follows the virt-handlers', async () => {
    makeKubevirt();
    await stage.start();
    await roll(1);
    make('lab', { ...SPEC, bandwidth: '64Mi', excludeIps: ['198.18.2.1..198.18.2.9'], mtu: 1400 });
    await whenReady(
      'lab',
      'False VirtHandlersRolling 0 of 3 virt-handlers have migration0; KubeVirt restarts every one',
    );
    expect(migrationsOf()).toEqual({ network: 'mooring-migration-lab', bandwidthPerMigration: '64Mi' });
    const nad = find<NetworkAttachmentDefinition>('nads', 'kubevirt/mooring-migration-lab');
    expect(JSON.parse(nad?.spec?.config ?? '')).toMatchObject({ type: 'macvlan', master: 'eth1', mtu: 1400 });
    expect(stage.findSubnet('migration-lab')?.spec).toMatchObject({
      cidrBlock: '198.18.2.0/24',
      namespaces: ['kubevirt'],
    });
    expect(new Set(await roll(2)).size).toBe(3);
    await whenReady('lab', 'True Ready 3 of 3 virt-handlers have migration0');
    const { status } = findNetwork('lab') ?? {};
    expect(status).toMatchObject({
      kubevirt: { namespace: 'kubevirt', name: 'kubevirt', network: 'mooring-migration-lab' },
      nodesReady: '3/3',
    });
    expect(status?.nodes?.map(({ node, ready }) => `${node} ${ready}`)).toEqual(NODES.map((node) => `${node} true`));
  });

  it('that is deleted takes back what it has set, when the virt-handlers have left it', async () => {
    makeKubevirt();
    await stage.start();
    make('lab', { ...SPEC, bandwidth: '64Mi' });
    await eventually('told', () => migrationsOf()?.network === 'mooring-migration-lab');
    await roll(1);
    await whenReady('lab', 'True Ready');
    cast.remove('migrationNetworks', 'lab');
    await eventually('KubeVirt has what it had', () => migrationsOf()?.network === undefined);
    await whenReady(
      'lab',
      'False InUse being deleted; waits for virt-handlers virt-handler-n1-1, virt-handler-n2-1, virt-handler-n3-1',
    );
    expect(findKubevirt()?.spec).toEqual({ configuration: { evictionStrategy: 'LiveMigrate', migrations: {} } });
    expect(findKubevirt()?.metadata?.annotations).not.toHaveProperty(MARK);
    expect(listNads()).toEqual(['mooring-migration-lab']);
    await roll(2);
    await eventually('gone', () => findNetwork('lab') === undefined, 20_000);
    expect(listNads()).toEqual([]);
    expect(stage.findSubnet('migration-lab')).toBeUndefined();
  });

  it('that is too small for a node more gives an address again as soon as the pod before is gone', async () => {
    makeKubevirt();
    await stage.start();
    // The gateway and three nodes, and none to spare.
    make('lab', { ...SPEC, cidrBlock: '198.18.2.0/29', excludeIps: ['198.18.2.5..198.18.2.6'] });
    await eventually('told', () => migrationsOf()?.network === 'mooring-migration-lab');
    const first = await roll(1);
    await whenReady('lab', 'True Ready');
    expect((await roll(2)).sort()).toEqual(first.sort());
    await whenReady('lab', 'True Ready');
    makeHandler('n4');
    await whenReady('lab', 'False SubnetFull 198.18.2.0/29 has 3 free addresses for 4 nodes');
  });

  it('makes again what somebody takes away from it', async () => {
    makeKubevirt();
    await stage.start();
    make('lab');
    await eventually('told', () => migrationsOf()?.network === 'mooring-migration-lab');
    cast.remove('nads', 'kubevirt/mooring-migration-lab');
    await eventually('the definition', () => listNads().length === 1);
    cast.remove('subnets', 'migration-lab');
    const isBack = () => stage.findSubnet('migration-lab')?.metadata.deletionTimestamp === undefined;
    await eventually('the Subnet', () => stage.findSubnet('migration-lab') !== undefined && isBack(), 10_000);
    cast.patch('kubevirts', 'kubevirt/kubevirt', { spec: { configuration: { migrations: { network: null } } } });
    await eventually('told again', () => migrationsOf()?.network === 'mooring-migration-lab');
  });

  it('says by which address the memory went, and warns when it was not one of its own', async () => {
    makeKubevirt();
    make('lab');
    await stage.start();
    await whenReady('lab', 'VirtHandlerNotRunning');
    const vmi = cast.vmi('guest');
    const at = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
    const migrate = (uid: string, address: string, seconds: number) =>
      cast.setStatus('vmis', `a/${vmi.metadata?.name}`, {
        migrationState: {
          migrationUid: uid,
          sourceNode: 'n1',
          targetNode: 'n2',
          targetNodeAddress: address,
          startTimestamp: at(seconds),
          endTimestamp: at(seconds + 1),
          completed: true,
        },
      });
    migrate('m0', '10.16.0.9', -3600);
    migrate('m1', '198.18.2.77', 10);
    await eventually('m1', () => findNetwork('lab')?.status?.lastMigrations?.length === 1);
    const apart = () => findNetwork('lab')?.status?.conditions?.find(({ type }) => type === 'MemoryApart');
    expect(apart()).toMatchObject({ status: 'True', reason: 'MemoryOnMigrationNetwork' });
    expect(stage.events()).not.toContain('MigrationNetwork/lab MemoryOnPodNetwork');
    migrate('m2', '10.16.0.9', 20);
    await eventually('m2', () => findNetwork('lab')?.status?.lastMigrations?.length === 2);
    expect(
      findNetwork('lab')?.status?.lastMigrations?.map(({ uid, network, address }) => `${uid} ${network} ${address}`),
    ).toEqual(['m2 Pod 10.16.0.9', 'm1 Migration 198.18.2.77']);
    expect(apart()).toMatchObject({ status: 'False', reason: 'MemoryOnPodNetwork' });
    await eventually('the events', () =>
      ['MigrationNetwork/lab', 'VirtualMachineInstance/guest'].every((what) =>
        stage.events().includes(`${what} MemoryOnPodNetwork`),
      ),
    );
    cast.remove('vmis', 'a/guest');
    cast.vmi('other');
    await eventually('kept', () => findNetwork('lab')?.status?.lastMigrations?.length === 2);
  });

  it('leaves a network that a user has set, and sets its own when that is gone', async () => {
    makeKubevirt({ network: 'theirs', bandwidthPerMigration: '1Gi', allowPostCopy: true });
    make('lab', { ...SPEC, bandwidth: '64Mi' });
    await stage.start();
    await whenReady('lab', 'False NetworkSetByUser migrations.network of KubeVirt kubevirt/kubevirt is "theirs"');
    expect(listNads()).toEqual([]);
    expect(stage.findSubnet('migration-lab')).toBeUndefined();
    cast.patch('kubevirts', 'kubevirt/kubevirt', { spec: { configuration: { migrations: { network: null } } } });
    await eventually('ours', () => migrationsOf()?.network === 'mooring-migration-lab');
    expect(migrationsOf()).toEqual({
      network: 'mooring-migration-lab',
      bandwidthPerMigration: '1Gi',
      allowPostCopy: true,
    });
    await whenReady('lab', 'bandwidthPerMigration of KubeVirt stays "1Gi"');
    cast.patch('kubevirts', 'kubevirt/kubevirt', { spec: { configuration: { migrations: { network: 'theirs' } } } });
    await whenReady('lab', 'False NetworkSetByUser');
    cast.remove('migrationNetworks', 'lab');
    await eventually('gone', () => findNetwork('lab') === undefined, 20_000);
    expect(migrationsOf()).toEqual({ network: 'theirs', bandwidthPerMigration: '1Gi', allowPostCopy: true });
    expect(findKubevirt()?.metadata?.annotations ?? {}).not.toHaveProperty(MARK);
  });

  it('uses a definition that KubeVirt names already, and leaves both behind as they were', async () => {
    makeKubevirt({ network: 'wire' });
    const config = JSON.stringify({ cniVersion: '1.0.0', type: 'macvlan', master: 'eth1', ipam: { type: 'mooring' } });
    make('lab', { nad: 'wire', cidrBlock: '198.18.2.0/24' });
    await stage.start();
    await whenReady('lab', 'False NetworkAttachmentNotFound');
    stage.api.storage.create(COLLECTIONS.nads, {
      metadata: { name: 'wire', namespace: 'kubevirt' },
      spec: { config },
    } as KubeObject);
    await eventually('the Subnet', () => stage.findSubnet('migration-lab')?.spec.provider === 'wire.kubevirt');
    makeHandler('n1');
    await attach('n1');
    await whenReady('lab', 'True Ready 1 of 1');
    cast.remove('migrationNetworks', 'lab');
    cast.remove('pods', 'kubevirt/virt-handler-n1-1');
    await eventually('gone', () => findNetwork('lab') === undefined, 20_000);
    expect(migrationsOf()).toEqual({ network: 'wire' });
    expect(listNads()).toEqual(['wire']);
    expect(stage.findSubnet('migration-lab')).toBeUndefined();
  });

  it('waits while there is no KubeVirt', async () => {
    make('lab');
    await stage.start();
    await whenReady('lab', 'False KubevirtNotFound');
    expect(findNetwork('lab')?.status).not.toHaveProperty('kubevirt');
    makeKubevirt();
    await eventually('told', () => migrationsOf()?.network === 'mooring-migration-lab');
  });

  it('gives way to an older one, and takes its place when that is gone', async () => {
    makeKubevirt();
    await stage.start();
    make('lab');
    await eventually('told', () => migrationsOf()?.network === 'mooring-migration-lab');
    make('zweite', { ...SPEC, cidrBlock: '198.18.3.0/24' });
    await whenReady('zweite', 'False OtherMigrationNetwork MigrationNetwork lab is older and the active one');
    expect(listNads()).toEqual(['mooring-migration-lab']);
    cast.remove('migrationNetworks', 'lab');
    await eventually('the other one', () => migrationsOf()?.network === 'mooring-migration-zweite', 20_000);
    expect(listNads()).toEqual(['mooring-migration-zweite']);
  });

  it('refuses the range of a Subnet, of the join network and of a node, unless it is allowed', async () => {
    makeKubevirt();
    stage.api.storage.create(COLLECTIONS.nodes, {
      metadata: { name: 'n1' },
      status: { addresses: [{ type: 'InternalIP', address: '198.18.0.11' }] },
    } as KubeObject);
    cast.subnet('business', { cidrBlock: '198.18.2.128/25' });
    make('lab');
    await stage.start();
    await whenReady('lab', 'False OverlapsBusiness 198.18.2.0/24 overlaps subnet business 198.18.2.128/25');
    expect(listNads()).toEqual([]);
    expect(migrationsOf()).toBeUndefined();
    cast.remove('migrationNetworks', 'lab');
    await eventually('gone', () => findNetwork('lab') === undefined);
    make('node', { ...SPEC, cidrBlock: '198.18.0.0/24' });
    await whenReady('node', 'contains 198.18.0.11 of node n1');
    cast.patch('migrationNetworks', 'node', { spec: { allowOverlap: true } });
    await eventually('told', () => migrationsOf()?.network === 'mooring-migration-node');
  });

  it('refuses the uplink of guests and pods, by what their nodes tell of it', async () => {
    const client = createWholeClient(stage.sb.remote, SCHEMA_FILES.sb);
    client.start();
    await client.whenLive();
    cast.node('n1');
    await client.transactAndSync([
      insertOp('Encap', { type: 'geneve', ip: '10.1.1.1', chassis_name: 'n1' }, { uuidName: 'e' }),
      insertOp('Chassis', {
        name: 'n1',
        hostname: 'n1',
        encaps: namedUuid('e'),
        other_config: wireMap([['ovn-cms-options', 'mooring-mtu=1400,mooring-uplink=eth1']]),
      }),
    ]);
    makeKubevirt();
    make('lab', { ...SPEC, uplink: { interface: 'eth1', vlan: 7 } });
    await stage.start();
    await whenReady('lab', 'False UplinkShared eth1.7 shares eth1 with the traffic of guests and pods on node n1');
    expect(migrationsOf()).toBeUndefined();
    cast.patch('migrationNetworks', 'lab', { spec: { allowSharedUplink: true } });
    await eventually('told', () => migrationsOf()?.network === 'mooring-migration-lab');
    await client.stop();
  });
});
