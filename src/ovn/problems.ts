/** May the same thing succeed later (`retry`), or only after somebody changed something (`terminal`)? */
export type ProblemClass = 'retry' | 'terminal';

/** Base of what can be wrong between our wishes and the Northbound database. `code` is stable. */
export class OvnProblem extends Error {
  override readonly name: string = 'OvnProblem';
  readonly code: string;
  readonly class: ProblemClass;
  constructor(code: string, problemClass: ProblemClass, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.class = problemClass;
  }
}

/** The row that we want exists and belongs to somebody else. It is left alone. */
export class RowOwnedByOther extends OvnProblem {
  override readonly name: string = 'RowOwnedByOther';
  readonly table: string;
  readonly key: string;
  /** The owner in our notation, or undefined when the row does not carry our cluster id. */
  readonly owner: string | undefined;
  constructor(table: string, key: string, owner: string | undefined) {
    super('row-owned-by-other', 'terminal', `${table} ${key} belongs to ${owner ?? 'another system'}`);
    this.table = table;
    this.key = key;
    this.owner = owner;
  }
}

/** The switch, router or DHCP row that a wanted row needs is neither in the database nor wanted. */
export class ParentMissing extends OvnProblem {
  override readonly name: string = 'ParentMissing';
  readonly table: string;
  readonly key: string;
  constructor(table: string, key: string, child: string) {
    super('parent-missing', 'retry', `${child} needs ${table} ${key}, which does not exist`);
    this.table = table;
    this.key = key;
  }
}

/** The wish contradicts itself: the same row twice, or a row of an owner outside the scope. A fault of the program. */
export class InvalidWish extends OvnProblem {
  override readonly name: string = 'InvalidWish';
  constructor(message: string) {
    super('invalid-wish', 'terminal', message);
  }
}

/** A newer leader has taken over, or the database was replaced: this process must not write any more. */
export class EpochLost extends OvnProblem {
  override readonly name: string = 'EpochLost';
  constructor(epoch: bigint, options?: ErrorOptions) {
    super('epoch-lost', 'terminal', `epoch ${epoch} is over: another leader writes now`, options);
  }
}
