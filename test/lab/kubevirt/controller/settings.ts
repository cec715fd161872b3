import type { KubeVirt, MigrationConfiguration } from '../objects.ts';

/** What a KubeVirt CR says, with KubeVirt's defaults for the rest. */
export type Settings = {
  /** Feature gate LiveUpdateNADRef: a running VM's NIC may change its NAD by migration. */
  liveUpdateNad: boolean;
  /** `workloadUpdateMethods` holds LiveMigrate: what needs a migration gets one. */
  autoMigrate: boolean;
  drainTaint: string;
  perCluster: number;
  perNode: number;
  /** `migrationConfiguration` of a migrationState. */
  migrations: MigrationConfiguration;
};

/** Migration settings of a KubeVirt CR that says nothing about them. */
const DEFAULTS = {
  allowAutoConverge: false,
  allowPostCopy: false,
  allowWorkloadDisruption: false,
  bandwidthPerMigration: '0',
  completionTimeoutPerGiB: 150,
  nodeDrainTaintKey: 'kubevirt.io/drain',
  parallelMigrationsPerCluster: 5,
  parallelOutboundMigrationsPerNode: 2,
  progressTimeout: 150,
  unsafeMigrationOverride: false,
  utilityVolumesTimeout: 150,
} satisfies MigrationConfiguration;

export function deriveSettings(kubevirt: KubeVirt | undefined): Settings {
  const { configuration, workloadUpdateStrategy } = kubevirt?.spec ?? {};
  const migrations = { ...DEFAULTS, ...configuration?.migrations };
  return {
    liveUpdateNad: configuration?.developerConfiguration?.featureGates?.includes('LiveUpdateNADRef') === true,
    autoMigrate: workloadUpdateStrategy?.workloadUpdateMethods?.includes('LiveMigrate') === true,
    drainTaint: migrations.nodeDrainTaintKey,
    perCluster: migrations.parallelMigrationsPerCluster,
    perNode: migrations.parallelOutboundMigrationsPerNode,
    migrations,
  };
}
