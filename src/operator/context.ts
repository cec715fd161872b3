import type {
  IPAMClaim,
  KubeVirt,
  NetworkAttachmentDefinition,
  NetworkPolicy,
  Node,
  Pod,
  VirtualMachine,
  VirtualMachineInstance,
} from '../api/objects.ts';
import type { Problem } from '../api/problem.ts';
import type { IPPool, LogicalPort, MigrationNetwork, Subnet, Vpc } from '../api/types.gen.ts';
import type { Pool } from '../ipam/pool.ts';
import type { Clock, EventRecorder, KubeObject, Logger, Metrics, Resource } from '../kube/index.ts';
import type { Bindings } from '../ovn/bindings.ts';
import type { NbClient } from '../ovn/database.ts';
import type { Writer } from '../ovn/writer.ts';
import type { MacTurns } from '../plan/ports/mac-turns.ts';
import type { Settings } from '../plan/settings.ts';
import type { Addresses } from './addresses.ts';
import type { OwnWrites } from './own-writes.ts';
import type { Policies } from './policy/policies.ts';
import type { Refused } from './port/refused.ts';
import type { World } from './world.ts';

/** What lives as long as the process. */
export type Context = {
  readonly settings: Settings;
  readonly world: World;
  readonly addresses: Addresses;
  readonly api: {
    readonly ports: Resource<LogicalPort>;
    readonly subnets: Resource<Subnet>;
    readonly vpcs: Resource<Vpc>;
    readonly ipPools: Resource<IPPool>;
    readonly ipamClaims: Resource<IPAMClaim>;
    readonly nodes: Resource<Node>;
    readonly pods: Resource<Pod>;
    readonly vms: Resource<VirtualMachine>;
    readonly vmis: Resource<VirtualMachineInstance>;
    readonly migrationNetworks: Resource<MigrationNetwork>;
    readonly kubevirts: Resource<KubeVirt>;
    readonly nads: Resource<NetworkAttachmentDefinition>;
    readonly networkPolicies: Resource<NetworkPolicy>;
  };
  /** Undefined where NetworkPolicies are not served. */
  readonly policies?: Policies | undefined;
  readonly ownWrites: OwnWrites;
  readonly nb: NbClient;
  readonly bindings: Bindings;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
};

/** What a turn has beside it: the leader's writer, and what this term remembers only to be quick. */
export type Turn = Context & {
  readonly writer: Writer;
  readonly joinPool: Pool;
  /** Keys that wait for something outside of them, with the subnets among it. */
  readonly blocked: Map<string, readonly string[]>;
  /** Lets the keys look again that wait for this subnet, its ports in conflict among them, or all that wait. */
  readonly wake: (subnet?: string) => void;
  /** LogicalPorts, as `<namespace>/<name>`, whose creation was sent and not answered yet. */
  readonly pending: Map<string, { readonly key: string; readonly subnet: string }>;
  /** When the status of a LogicalPort is to be written that may wait (monotonic ms). */
  readonly late: Map<string, number>;
  /** When the first event came in whose rows could not be written yet, by key (monotonic ms). */
  readonly unwritten: Map<string, number>;
  /** Steps of migrations that were told and are in no status yet, by key. */
  readonly steps: Map<string, readonly string[]>;
  /** Who may have rows with a MAC that others have, too. */
  readonly macTurns: MacTurns;
  /** What the API server refuses for good, by key. */
  readonly refused: Map<string, Refused>;
  /** Machines of whose VMI there was news in this term, or that was found to be seen as the API server has it. */
  readonly heard: Set<string>;
  /** When the first event came in that this turn is for (monotonic ms); undefined for a turn without one. */
  readonly since: number | undefined;
  readonly signal: AbortSignal;
};

/** Tells a problem where the user looks: as an event on the object that asked. */
export function reportProblem(turn: Turn, regarding: KubeObject, action: string, problem: Problem): void {
  turn.events.record(regarding, {
    type: 'Warning',
    reason: problem.reason,
    action,
    note: problem.message.slice(0, 900),
  });
}
