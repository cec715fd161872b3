/** The same for some items beside each other, `width` at a time: one that hangs holds up its own lane only. */
export async function doBeside<T>(items: readonly T[], width: number, step: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items].reverse();
  const failures: unknown[] = [];
  const work = async () => {
    for (let item = rest.pop(); item !== undefined; item = rest.pop()) {
      await step(item).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, work));
  await doEach(failures, (failure) => Promise.reject(failure));
}

/** Does a step for each item in turn. One that fails does not keep the others back; what failed is thrown at the end. */
export async function doEach<T>(items: readonly T[], step: (item: T) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  for (const item of items) await step(item).catch((error: unknown) => failures.push(error));
  if (failures.length <= 1) {
    for (const failure of failures) throw failure;
    return;
  }
  const [first] = failures;
  const words = first instanceof Error ? first.message : String(first);
  throw new AggregateError(failures, `${failures.length} of ${items.length} failed, the first: ${words}`);
}
