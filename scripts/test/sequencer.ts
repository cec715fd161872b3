import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take longest, the longest first (seconds on two cores, from 60 to 20). vitest itself knows that only from
 * an earlier run in the same checkout, and otherwise goes by size: then one that is short and long-lasting begins when
 * the other workers have nothing left.
 */
const LONGEST = [
  'src/cni/daemon/crash.protocol.test.ts',
  'src/netlink/conntrack-migration.protocol.test.ts',
  'src/cni/daemon/fuzz.test.ts',
  'test/lab/kubevirt/handler/migrate.protocol.test.ts',
  'src/operator/faults/real-api.protocol.test.ts',
  'src/cni/daemon/networks/networks.protocol.test.ts',
  'src/operator/faults/walk.protocol.test.ts',
  'src/operator/faults/migration-walk.protocol.test.ts',
  'src/operator/faults/migration-deaths.protocol.test.ts',
  'src/operator/faults/addresses.protocol.test.ts',
  'src/operator/faults/migration-real-api.protocol.test.ts',
  'src/operator/problems.protocol.test.ts',
  'src/kube/kube.protocol.test.ts',
  'src/ovsdb/cluster.protocol.test.ts',
  'src/operator/faults/network-change.protocol.test.ts',
  'src/plan/requests/fuzz.test.ts',
  'src/operator/crash.protocol.test.ts',
  'src/cli/hook.test.ts',
];

/** The same items, those first whose path ends as one of `first` does, in the order of `first`. */
export function sortFirst<T>(items: readonly T[], pathOf: (item: T) => string, first: readonly string[]): T[] {
  const rank = (item: T): number => {
    const at = first.findIndex((path) => pathOf(item).endsWith(`/${path}`));
    return at === -1 ? first.length : at;
  };
  return items.toSorted((a, b) => rank(a) - rank(b));
}

/** vitest's own order, but for the longest files. Projects stay apart whatever the order is. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return sortFirst(await super.sort(files), ({ moduleId }) => moduleId, LONGEST);
  }
}

/** For the test that each of them is there. */
export const listLongest = (): readonly string[] => LONGEST;
