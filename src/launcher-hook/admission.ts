/** Who asks, as the API server has authenticated them. */
export type AdmissionUser = { readonly name: string; readonly groups: readonly string[] };

/** One question of the API server (admission.k8s.io/v1), with the objects as they came: nothing of them is checked. */
export type Admission = {
  readonly uid: string;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  /** Of the object: `VirtualMachine`, `VirtualMachineInstance`. */
  readonly kind: string;
  readonly namespace: string;
  /** Empty where the server is still to choose it (`generateName`). */
  readonly name: string;
  /** Null at DELETE. */
  readonly object: unknown;
  /** Null at CREATE. */
  readonly oldObject: unknown;
  readonly dryRun: boolean;
  readonly user: AdmissionUser;
};

/** RFC 6902, the three operations that are needed; `path` is a JSON pointer. */
export type PatchOperation = {
  readonly op: 'add' | 'replace' | 'remove';
  readonly path: string;
  readonly value?: unknown;
};

export type Verdict = {
  readonly allowed: boolean;
  /** Why not; what the user reads. */
  readonly message?: string;
  readonly warnings: readonly string[];
  readonly patch: readonly PatchOperation[];
  /** The denial may be due to an object that was made a moment ago: the judge wants to be asked once more. */
  readonly isPerhapsLate?: boolean;
};

/** Pure, given the records that it was made with. The object's tree must not be changed. */
export type Judge = (admission: Admission) => Verdict;

/** The verdict of whoever has nothing to say. */
export const ALLOWED: Verdict = { allowed: true, warnings: [], patch: [] };
