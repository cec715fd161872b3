import { MIGRATION_MARK, NETWORK_STATUS } from '../../../api/annotations.ts';
import type { KubeVirt, NetworkAttachmentDefinition, Node, Pod, VirtualMachineInstance } from '../../../api/objects.ts';
import type { MigrationNetwork, MigrationNetworkSpec } from '../../../api/types.gen.ts';
import { makeTestSettings } from '../../networks/testing/subnets.ts';
import type { MigrationFacts } from '../types.ts';

/** What tests of MigrationNetworks look at: the network `lab` of KubeVirt in namespace `kubevirt`. */
export const MOMENT = { now: '2026-11-21T12:00:00Z', generation: 1 };
export const NAD = 'kubevirt/mooring-migration-lab';

export const makeNetwork = (
  spec: Partial<MigrationNetworkSpec> = {},
  metadata: Partial<MigrationNetwork['metadata']> = {},
): MigrationNetwork => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'MigrationNetwork',
  metadata: { name: 'lab', uid: 'mn', creationTimestamp: '2026-11-21T11:00:00Z', ...metadata },
  spec: { cidrBlock: '198.18.2.0/24', ...(spec.nad === undefined ? { uplink: { interface: 'eth1' } } : {}), ...spec },
});

type Migrations = NonNullable<NonNullable<NonNullable<KubeVirt['spec']>['configuration']>['migrations']>;

export const makeKubevirt = (migrations: Migrations = {}, mark?: object | string): KubeVirt => ({
  metadata: {
    name: 'kubevirt',
    namespace: 'kubevirt',
    uid: 'kv',
    resourceVersion: '7',
    ...(mark === undefined
      ? {}
      : { annotations: { [MIGRATION_MARK]: typeof mark === 'string' ? mark : JSON.stringify(mark) } }),
  },
  spec: { configuration: { migrations } },
});

export const makeNode = (name: string, address?: string, labels = { 'kubevirt.io/schedulable': 'true' }): Node => ({
  metadata: { name, labels },
  ...(address === undefined ? {} : { status: { addresses: [{ type: 'InternalIP', address }] } }),
});

type Handler = {
  ready?: string;
  address?: string;
  nad?: string;
  phase?: string;
  deleting?: boolean;
  status?: string;
  created?: string;
};

/** The status of a pod that has migration0 when it has an address. */
function formatStatus({ address, nad = NAD, status }: Handler): Record<string, string> {
  if (status !== undefined) return { [NETWORK_STATUS]: status };
  if (address === undefined) return {};
  const entry = { name: nad, interface: 'migration0', ips: address === '' ? [] : [address] };
  return { [NETWORK_STATUS]: JSON.stringify([{ name: 'x', interface: 'eth0', ips: ['10.16.0.4'] }, entry]) };
}

export function makeHandler(node: string, over: Handler = {}): Pod {
  return {
    metadata: {
      name: `virt-handler-${node}`,
      namespace: 'kubevirt',
      labels: { 'kubevirt.io': 'virt-handler' },
      annotations: formatStatus(over),
      ...(over.deleting ? { deletionTimestamp: '2026-11-21T11:59:00Z' } : {}),
      ...(over.created === undefined ? {} : { creationTimestamp: over.created }),
    },
    spec: { nodeName: node },
    status: {
      phase: over.phase ?? 'Running',
      ...(over.ready === undefined ? {} : { conditions: [{ type: 'Ready', status: over.ready }] }),
    },
  };
}

export const makeNad = (name: string, config: unknown, namespace = 'kubevirt'): NetworkAttachmentDefinition => ({
  metadata: { name, namespace },
  spec: { config: typeof config === 'string' ? config : JSON.stringify(config) },
});

type State = NonNullable<NonNullable<VirtualMachineInstance['status']>['migrationState']>;

export const makeVmi = (name: string, state: State): VirtualMachineInstance => ({
  metadata: { name, namespace: 'a' },
  status: {
    migrationState: {
      migrationUid: `uid-${name}`,
      sourceNode: 'n1',
      targetNode: 'n2',
      startTimestamp: '2026-11-21T11:30:00Z',
      endTimestamp: '2026-11-21T11:30:05Z',
      completed: true,
      ...state,
    },
  },
});

export const makeFacts = (over: Partial<MigrationFacts> = {}): MigrationFacts => ({
  networks: [makeNetwork()],
  kubevirts: [makeKubevirt()],
  subnets: [],
  join: makeTestSettings().join,
  nodes: [],
  uplinks: new Map(),
  nads: [],
  handlers: [],
  vmis: [],
  ...over,
});
