import type { KubeObject } from '../../src/kube/index.ts';
import { NB } from '../../src/ovn/schema/nb.gen.ts';
import { createCast } from './objects.ts';
import { COLLECTIONS, type Stage, until } from './stage.ts';

/** One VM with one NIC, played through its migrations as KubeVirt would write them. */
export type Voyage = Disposable & {
  readonly lsp: string;
  readonly port: string;
  /** Every value of requested-chassis so far, each when it changed; undefined while there is no row. */
  readonly asked: readonly (string | undefined)[];
  /** Starts the guest there: launcher, VMI running. */
  board(node: string): string;
  /** A VMIM and its target launcher, with a node unless told otherwise. */
  prepare(node?: string): Leg;
  /** Stops it: the launchers and the VMI are gone. */
  land(): void;
  /** Launchers that hold the port, by its attachments, as `<role>@<node>`. */
  holders(): string[];
  /** UID of the LogicalPort, as the agent writes it into iface-id-ver. */
  whenPort(): Promise<string>;
  whenAsked(chassis: string): Promise<void>;
  patchVmi(status: object): void;
  readonly cast: ReturnType<typeof createCast>;
};

/** One migration. */
export type Leg = {
  readonly uid: string;
  readonly pod: string;
  readonly vmim: string;
  handOver(): void;
  /** `targetNodeDomainReadyTimestamp`. */
  ready(extra?: object): void;
  /** nodeName and `completed`, as KubeVirt from 1.6 on ends it. */
  complete(): void;
  /** `failed` on the VMI, the VMIM Failed. */
  fail(): void;
  setVmim(phase: string): void;
};

const READY = '2026-11-21T10:48:37Z';
const FRESH = { targetNodeDomainReadyTimestamp: null, completed: null, failed: null, mode: null, endTimestamp: null };

type Deck = {
  readonly cast: ReturnType<typeof createCast>;
  readonly name: string;
  readonly vm: KubeObject;
  vmi: KubeObject | undefined;
  at: string;
  /** The guest's launcher. */
  pod: string;
  count: number;
};

/** Makes the VM, which does not run yet. */
export function createVoyage(stage: Stage, name: string): Voyage {
  const cast = createCast(stage.api);
  const deck: Deck = { cast, name, vm: cast.vm(name), vmi: undefined, at: '', pod: '', count: 0 };
  const lsp = `vm/a/${name}/default`;
  const port = `a/${name}.default.vm`;
  const log = recordAsked(stage, lsp);
  return {
    lsp,
    port,
    cast,
    asked: log.asked,
    patchVmi: (status) => patchVmi(deck, status),
    board: (node) => board(deck, node),
    prepare: (node) => prepare(deck, node),
    land: () => {
      const pods = stage.api.storage.list(COLLECTIONS.pods).map(({ metadata }) => metadata.name ?? '');
      for (const pod of pods) if (pod.startsWith(`${name}-l`)) cast.remove('pods', `a/${pod}`);
      cast.remove('vmis', `a/${name}`);
    },
    holders: () => (stage.findPort(port)?.spec.attachments ?? []).map(({ role, node }) => `${role}@${node}`),
    whenPort: async () => (await until(`LogicalPort ${port}`, async () => stage.findPort(port))).metadata.uid ?? '',
    whenAsked: async (chassis) => {
      await until(`${lsp} on ${chassis}`, async () => log.asked.at(-1) === chassis || undefined).catch((error) => {
        throw new Error(`asked ${log.asked.join(' > ')}`, { cause: error });
      });
    },
    [Symbol.dispose]: log.stop,
  };
}

function recordAsked(
  { nb }: Stage,
  lsp: string,
): { readonly asked: (string | undefined)[]; readonly stop: () => void } {
  const asked: (string | undefined)[] = [];
  const stop = nb.nb.client.onChange(() => {
    const rows = [...nb.nb.observed.rows(NB.Logical_Switch_Port).values()];
    const now = rows.find((row) => row.name === lsp)?.options.get('requested-chassis');
    if (asked.length === 0 || asked.at(-1) !== now) asked.push(now);
  });
  return { asked, stop };
}

function patchVmi({ cast, name }: Deck, status: object): void {
  cast.setStatus('vmis', `a/${name}`, status);
}

function board(deck: Deck, node: string): string {
  const { cast, name } = deck;
  deck.count += 1;
  deck.vmi = cast.vmi(name, deck.vm);
  deck.at = node;
  deck.pod = `${name}-l${deck.count}`;
  cast.launcher(deck.pod, deck.vmi, { node });
  patchVmi(deck, { phase: 'Running', nodeName: node });
  return deck.pod;
}

function prepare(deck: Deck, node: string | undefined): Leg {
  const { cast, name, vmi, at: source, pod: sourcePod } = deck;
  if (vmi === undefined) throw new Error(`${name} has not started`);
  deck.count += 1;
  const [pod, vmim] = [`${name}-l${deck.count}`, `${name}-m${deck.count}`];
  const uid = cast.vmim(vmim, name).metadata.uid ?? '';
  cast.launcher(pod, vmi, node === undefined ? { job: uid } : { node, job: uid });
  const migrate = (migrationState: object, more: object = {}) => patchVmi(deck, { migrationState, ...more });
  const setVmim = (phase: string) => void cast.setStatus('vmims', `a/${vmim}`, { phase });
  return {
    uid,
    pod,
    vmim,
    setVmim,
    handOver: () => {
      migrate({ ...FRESH, migrationUid: uid, sourceNode: source, sourcePod, targetNode: node, targetPod: pod });
      setVmim('Running');
    },
    ready: (extra = {}) => migrate({ targetNodeDomainReadyTimestamp: READY, ...extra }),
    complete: () => {
      migrate({ targetNodeDomainReadyTimestamp: READY, completed: true }, { nodeName: node });
      setVmim('Succeeded');
      deck.at = node ?? source;
      deck.pod = pod;
    },
    fail: () => {
      migrate({ failed: true });
      setVmim('Failed');
    },
  };
}
