import { fail, type Problem, type Result, succeed } from '../../api/problem.ts';
import { type KeyTable, type NicKeys, parseKeys, readKeyTable } from './keys.ts';
import { mergeWishes } from './merge.ts';
import { type NicTable, readNicTable } from './nics.ts';
import type { Named, Wish, WishSource } from './types.ts';

/** Reads what was asked for one NIC; `more` are wishes that are in no annotation of the sources. */
export type WishReader = (keys: NicKeys, more?: readonly Result<Named>[]) => Result<Wish>;

/**
 * A reader of all request forms in the annotations of the objects that speak for a VM or a pod; JSON is parsed once for
 * all NICs. Problems: InvalidRequest for what cannot be understood, RequestDisagreement for two sources, or two
 * spellings of a key, that want different things. Neither wishes nor the problem's reason depend on the order.
 */
export function createWishReader(sources: readonly WishSource[]): WishReader {
  const tables = sources.map((source) => ({ source, keys: readKeyTable(source), nics: readNicTable(source) }));
  return (keys, more = []) => {
    const own = [...more, ...tables.flatMap((entry) => listNamed(keys, entry))];
    const common = tables.map(({ source, nics }) => name(source, nics.common));
    const problem = findProblem([...own, ...common]);
    if (problem !== undefined)
      return { ok: false, problem: { ...problem, message: `NIC ${keys.nic}: ${problem.message}` } };
    return mergeAll(keys, own, common);
  };
}

/** Keys that somebody may have meant for a NIC with which we have nothing to do. */
export function findMisplacedKey(keys: NicKeys, sources: readonly WishSource[]): Problem | undefined {
  const problem = findProblem(
    sources.flatMap((source) => parseKeys(keys, readKeyTable(source)).map((wish) => name(source, wish))),
  );
  return problem && { ...problem, message: `NIC ${keys.nic}: ${problem.message}` };
}

const name = ({ from }: WishSource, wish: Result<Wish>): Result<Named> =>
  wish.ok ? succeed({ from, wish: wish.value }) : wish;

type Entry = { readonly source: WishSource; readonly keys: KeyTable; readonly nics: NicTable };

function listNamed(nic: NicKeys, { source, keys, nics }: Entry): Result<Named>[] {
  return [...parseKeys(nic, keys), ...nics.parseNic(nic.nic)].map((wish) => name(source, wish));
}

/** The same one in whatever order: what cannot be understood before what does not apply, then by text. */
function findProblem(results: readonly Result<Named>[]): Problem | undefined {
  const problems = results.flatMap((result) => (result.ok ? [] : result.problem));
  return problems.toSorted((a, b) => (`${a.reason} ${a.message}` < `${b.reason} ${b.message}` ? -1 : 1))[0];
}

/** What is asked for the NIC itself wins over what is asked for all NICs of the object. */
function mergeAll(keys: NicKeys, own: readonly Result<Named>[], common: readonly Result<Named>[]): Result<Wish> {
  const [first, second] = [common, own].map((list) => mergeWishes(list.flatMap((item) => (item.ok ? item.value : []))));
  if (first === undefined || second === undefined) return succeed({});
  const failed = [second, first].find((merged) => !merged.ok);
  if (failed !== undefined && !failed.ok) {
    return fail(failed.problem.reason, `NIC ${keys.nic}: ${failed.problem.message}`);
  }
  return succeed({ ...(first.ok ? first.value : {}), ...(second.ok ? second.value : {}) });
}
