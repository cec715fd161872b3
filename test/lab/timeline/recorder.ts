import { KINDS } from '../../../src/api/group.ts';
import { formatLspName, parseLspName } from '../../../src/api/names.ts';
import type { LogicalPort } from '../../../src/api/types.gen.ts';
import { createReflector, type KubeObject, type Reflector, systemClock } from '../../../src/kube/index.ts';
import { createBindings } from '../../../src/ovn/bindings.ts';
import { createNbClient, createSbClient } from '../../../src/ovn/database.ts';
import type { RowChange } from '../../../src/ovsdb/index.ts';
import { type Client, createClient } from '../kubevirt/client.ts';
import { VMI, VMIM, type Vmi, type Vmim } from '../kubevirt/objects.ts';
import type { LabState } from '../state.ts';
import {
  describeBinding,
  describeOptions,
  describePort,
  describeVmi,
  describeVmim,
  type Lane,
  type Mark,
} from './marks.ts';

export type { Lane, Mark } from './marks.ts';

/** Whose migrations are recorded. */
export type Scope = { readonly namespace: string; readonly vmi: string };

/** Follows one VM through the API server and both OVN databases. */
export type Recorder = AsyncDisposable & {
  /** Everything that was seen from `since` on (ms since the epoch), in the order of seeing. */
  listMarks(since: number): Mark[];
  /** What both databases say of a NIC's port now, in the words of the marks. */
  describe(nic: string): { readonly northbound: string; readonly southbound: string };
  /** Resolves with the first mark from `since` on that `check` takes; rejects after `timeoutMs`. */
  expectMark(what: string, since: number, check: (mark: Mark) => boolean, timeoutMs?: number): Promise<Mark>;
};

const now = (): number => performance.timeOrigin + performance.now();
const CENTRAL_PORTS = { nb: 6641, sb: 6642 } as const;
const TIMEOUT_MS = 60_000;

/** Watches from now on; what is true already makes no mark. Throws when a database or the API server stays away. */
export async function startRecorder(lab: LabState, scope: Scope): Promise<Recorder> {
  const marks: Mark[] = [];
  const waiters = new Set<() => void>();
  const note = (lane: Lane, labels: readonly string[]): void => {
    const at = now();
    for (const label of labels) marks.push({ at, lane, label });
    if (labels.length > 0) for (const look of [...waiters]) look();
  };
  const client = await createClient(lab.adminKubeconfig, 'timeline');
  const databases = await watchDatabases(lab, scope, note);
  const ends = [await watchObjects(client, scope, note), databases.end];
  return {
    describe: databases.describe,
    listMarks: (since) => marks.filter(({ at }) => at >= since),
    expectMark: (what, since, check, timeoutMs = TIMEOUT_MS) => {
      const find = () => marks.find((mark) => mark.at >= since && check(mark));
      const { promise, resolve, reject } = Promise.withResolvers<Mark>();
      const look = () => {
        const found = find();
        if (found !== undefined) resolve(found);
      };
      const timer = setTimeout(() => reject(new Error(`not seen within ${timeoutMs} ms: ${what}`)), timeoutMs);
      waiters.add(look);
      look();
      return promise.finally(() => {
        clearTimeout(timer);
        waiters.delete(look);
      });
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(ends.map((end) => end()));
      await client.transport.close();
    },
  };
}

type Note = (lane: Lane, labels: readonly string[]) => void;
type End = () => Promise<unknown>;

async function watchObjects(client: Client, scope: Scope, note: Note): Promise<End> {
  const common = { transport: client.transport, log: client.log, clock: systemClock, random: Math.random };
  const fields = { namespace: scope.namespace };
  const vmims = createReflector<Vmim & KubeObject>({ ...common, ...fields, kind: VMIM });
  const vmis = createReflector<Vmi & KubeObject>({ ...common, ...fields, kind: VMI });
  const ports = createReflector<LogicalPort>({ ...common, ...fields, kind: KINDS.logicalPort });
  const all: Reflector<never>[] = [vmims, vmis, ports] as never;
  for (const reflector of all) reflector.start();
  await Promise.all(all.map((reflector) => reflector.whenSynced()));
  follow(
    vmims,
    (vmim) => vmim.spec.vmiName === scope.vmi,
    (before, after) => note('VMIM', describeVmim(before, after)),
  );
  follow(
    vmis,
    ({ metadata }) => metadata.name === scope.vmi,
    (before, after) => note('VMI', describeVmi(before, after)),
  );
  follow(
    ports,
    ({ spec }) => spec.owner.kind !== 'Pod' && spec.owner.name === scope.vmi,
    (before, after) => {
      const nic = (after ?? before)?.spec.nic ?? '';
      note(
        'LogicalPort',
        describePort(before, after).map((label) => `${nic}: ${label}`),
      );
    },
  );
  return () => Promise.all(all.map((reflector) => reflector.stop()));
}

/** Calls `tell` for each change of an object that `isOurs` takes. */
function follow<T extends KubeObject>(
  reflector: Reflector<T>,
  isOurs: (object: T) => boolean,
  tell: (before: T | undefined, after: T | undefined) => void,
): void {
  reflector.onNews((change) => {
    if (!isOurs(change.object)) return;
    if (change.type === 'deleted') tell(change.object, undefined);
    else tell(change.type === 'updated' ? change.previous : undefined, change.object);
  });
}

type Databases = { readonly end: End; readonly describe: Recorder['describe'] };

async function watchDatabases(lab: LabState, scope: Scope, note: Note): Promise<Databases> {
  const nb = createNbClient({ remotes: listRemotes(lab, CENTRAL_PORTS.nb) });
  const sb = createSbClient({ remotes: listRemotes(lab, CENTRAL_PORTS.sb) });
  const bindings = createBindings(sb);
  nb.client.start();
  sb.client.start();
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  await Promise.all([nb.client.whenLive(signal), sb.client.whenLive(signal)]);
  const tell = createTeller(scope, note);
  nb.client.onChange((changes) => {
    for (const { name, options } of listPortOptions(changes)) tell('Northbound', name, describeOptions(options));
  });
  bindings.onPortChange((names) => {
    for (const name of names) tell('Southbound', name, describeBinding(bindings.findPortBinding(name)));
  });
  return {
    end: () => Promise.all([nb.client.stop(), sb.client.stop()]),
    describe: (nic) => {
      const name = formatLspName({ ownerKind: 'VirtualMachine', namespace: scope.namespace, owner: scope.vmi, nic });
      const row = [...nb.client.table('Logical_Switch_Port').values()].find((candidate) => candidate.name === name);
      return {
        northbound: describeOptions(row?.options as ReadonlyMap<string, string> | undefined),
        southbound: describeBinding(bindings.findPortBinding(name)),
      };
    },
  };
}

const listRemotes = ({ nodes }: LabState, port: number): string[] =>
  nodes.slice(0, 1).map(({ mgmtIp }) => `tcp:${mgmtIp}:${port}`);

/** Notes what is said of one of the VM's ports, when it is not what was said of it last. */
function createTeller({ namespace, vmi }: Scope, note: Note): (lane: Lane, lsp: string, label: string) => void {
  const said = new Map<string, string>();
  return (lane, lsp, label) => {
    const key = parseLspName(lsp);
    const isOurs = key?.namespace === namespace && key.owner === vmi && key.ownerKind !== 'Pod';
    if (!isOurs || said.get(`${lane} ${lsp}`) === label) return;
    said.set(`${lane} ${lsp}`, label);
    note(lane, [`${key.nic}: ${label}`]);
  };
}

function listPortOptions(changes: readonly RowChange[]) {
  return changes.flatMap(({ table, old: before, new: after }) => {
    const row = after ?? before;
    if (table !== 'Logical_Switch_Port' || typeof row?.name !== 'string') return [];
    return [{ name: row.name, options: after?.options as ReadonlyMap<string, string> | undefined }];
  });
}
