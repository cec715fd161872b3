/** What stale events are measured by: the newest version of an object, also of one that is deleted. */
export type Tombstones = {
  get(key: string): string | undefined;
  set(key: string, version: string): void;
  clear(): void;
};

const MOST_TOMBSTONES = 10_000;

/**
 * Orders two resource versions (KEP-5504: they are decimal numbers without leading zero). Below 0: `a` is older.
 * Undefined when one is not such a number: then nothing can be said.
 */
export function compareVersions(a: string | undefined, b: string | undefined): number | undefined {
  if (a === undefined || b === undefined || !/^[1-9]\d{0,39}$/.test(a) || !/^[1-9]\d{0,39}$/.test(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : Number(a > b);
}

/** The newer of two versions; `b` when they cannot be compared. */
export function latestVersion(a: string | undefined, b: string): string {
  const order = compareVersions(a, b);
  return order !== undefined && order > 0 && a !== undefined ? a : b;
}

/** Remembers the versions of deletions, the latest few thousand, so that a late event does not bring an object back. */
export function createTombstones(): Tombstones {
  const versions = new Map<string, string>();
  return {
    get: (key) => versions.get(key),
    set: (key, version) => {
      versions.delete(key);
      versions.set(key, version);
      const [oldest] = versions.keys();
      if (versions.size > MOST_TOMBSTONES && oldest !== undefined) versions.delete(oldest);
    },
    clear: () => versions.clear(),
  };
}
