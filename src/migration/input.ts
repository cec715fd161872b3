/**
 * What migration is derived from, as plain records. Every field may be missing or contradict the others: objects of
 * several kinds reach us in any order. Sources: KubeVirt v1.8.4 `api/core/v1/types.go`, recorded flows in
 * `test/fixtures/kubevirt-v1.8.4/flows`.
 */
export type VmiMigrationState = {
  readonly migrationUid?: string;
  readonly sourceNode?: string;
  readonly targetNode?: string;
  /** Names of the two launchers. */
  readonly sourcePod?: string;
  readonly targetPod?: string;
  /** `targetNodeDomainReadyTimestamp`: the guest runs on the target. */
  readonly domainReady?: boolean;
  readonly completed?: boolean;
  readonly failed?: boolean;
  /** `mode: PostCopy`: from "domain ready" on the guest runs on the target, long before the migration ends. */
  readonly postCopy?: boolean;
  /** One of its sides is another VMI: a migration across namespaces or clusters. */
  readonly foreign?: boolean;
};

export type VmiRecord = {
  readonly uid: string;
  /** `''`, Pending, Scheduling, Scheduled, Running, Succeeded, Failed, WaitingForSync, Unknown, or something new. */
  readonly phase: string;
  readonly nodeName?: string;
  readonly migrationState?: VmiMigrationState;
  /** Decentralized migration: this VMI waits to receive a guest from elsewhere. */
  readonly receiver?: boolean;
};

export type VmimRecord = {
  readonly uid: string;
  readonly phase: string;
  /** `spec.sendTo` or `spec.receive`: across namespaces or clusters. */
  readonly decentralized?: boolean;
};

export type LauncherRecord = {
  readonly uid: string;
  readonly name: string;
  /** UID of the owning VMI. */
  readonly vmiUid: string;
  readonly node?: string;
  /** Label `kubevirt.io/migrationJobUID`: stays for the life of the pod, so it says only for what the pod was made. */
  readonly migrationJobUid?: string;
  readonly deleting: boolean;
  /** Phase Succeeded or Failed: nothing runs in it any more. */
  readonly final: boolean;
  /** Annotation `kubevirt.io/ephemeral-provisioning`: a stand-in for storage, no guest inside. */
  readonly ephemeral?: boolean;
};

/** What the Southbound database says about the port. */
export type BindingRecord = {
  readonly chassis?: string;
  /** Further chassis that hold the port. */
  readonly additional?: readonly string[];
  /** Chassis named in `additional-chassis-activated` (only where an activation strategy is used). */
  readonly activated?: readonly string[];
};

export type MigrationInput = {
  readonly vmi?: VmiRecord;
  readonly vmims: readonly VmimRecord[];
  readonly launchers: readonly LauncherRecord[];
  readonly binding?: BindingRecord;
  /** Who held the port when it was last written: counts where several could hold it, and where no pod is known. */
  readonly held?: readonly { readonly uid: string; readonly name: string; readonly node: string }[];
  /** UIDs of the launchers whose pod carries the NIC through this very port; undefined when all do. */
  readonly carriers?: readonly string[];
};

export type Role = 'Source' | 'Target';

/** A launcher that holds the port, and as what. After commit only launchers on the new node hold it. */
export type Hold = { readonly launcher: LauncherRecord & { readonly node: string }; readonly role: Role };

export type MigrationPhase = 'unattached' | 'settled' | 'prepared' | 'activated' | 'rolledBack';

export type MigrationState = {
  readonly phase: MigrationPhase;
  /** The migration that is under way, or the last one that the VMI tells of. */
  readonly uid?: string;
  readonly source?: string;
  readonly target?: string;
  /** Where the guest runs, or is about to start; undefined when nothing holds the port. */
  readonly node?: string;
  /** Value of `requested-chassis`: one or two chassis, or NO_CHASSIS; never empty. */
  readonly requestedChassis: readonly [string, ...string[]];
  readonly holds: readonly Hold[];
  /**
   * The migration that is over, once the port is bound to the guest's chassis alone. Written into the port, it makes every
   * chassis look at it again (docs/decisions/0019).
   */
  readonly landed?: string;
  /** A migration across namespaces or clusters was asked for; it is refused. */
  readonly unsupported: boolean;
};
