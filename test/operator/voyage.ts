import type { KubeObject } from '../../src/kube/index.ts';
import { NB } from '../../src/ovn/schema/nb.gen.ts';
import { createCast } from './objects.ts';
import { type Stage, until } from './stage.ts';

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

export function createVoyage(stage: Stage, name: string): Voyage {
  const cast = createCast(stage.api);
  const lsp = `vm/a/${name}/default`;
  const asked: (string | undefined)[] = [];
  const look = () => {
    const rows = [...stage.nb.nb.observed.rows(NB.Logical_Switch_Port).values()];
    const now = rows.find((row) => row.name === lsp)?.options.get('requested-chassis');
    if (asked.length === 0 || asked.at(-1) !== now) asked.push(now);
  };
  const stop = stage.nb.nb.client.onChange(look);
  const vm = cast.vm(name);
  let at = '';
  let vmi: KubeObject | undefined;
  let count = 0;
  const patchVmi = (status: object) => void cast.setStatus('vmis', `a/${name}`, status);
  const getVmi = (): KubeObject => {
    if (vmi === undefined) throw new Error(`${name} has not started`);
    return vmi;
  };
  return {
    lsp,
    port: `a/${name}.default.vm`,
    asked,
    cast,
    patchVmi,
    board: (node) => {
      count += 1;
      vmi = cast.vmi(name, vm);
      cast.launcher(`${name}-l${count}`, vmi, { node });
      patchVmi({ phase: 'Running', nodeName: node });
      at = node;
      return `${name}-l${count}`;
    },
    prepare: (node) => {
      count += 1;
      const [pod, vmim] = [`${name}-l${count}`, `${name}-m${count}`];
      const uid = cast.vmim(vmim, name).metadata.uid ?? '';
      cast.launcher(pod, getVmi(), node === undefined ? { job: uid } : { node, job: uid });
      const migrate = (state: object, more: object = {}) => patchVmi({ migrationState: state, ...more });
      const setVmim = (phase: string) => void cast.setStatus('vmims', `a/${vmim}`, { phase });
      const source = at;
      return {
        uid,
        pod,
        vmim,
        setVmim,
        handOver: () => {
          migrate({ ...FRESH, migrationUid: uid, sourceNode: source, targetNode: node, targetPod: pod });
          setVmim('Running');
        },
        ready: (extra = {}) => migrate({ targetNodeDomainReadyTimestamp: READY, ...extra }),
        complete: () => {
          migrate({ targetNodeDomainReadyTimestamp: READY, completed: true }, { nodeName: node });
          setVmim('Succeeded');
          at = node ?? at;
        },
        fail: () => {
          migrate({ failed: true });
          setVmim('Failed');
        },
      };
    },
    whenPort: async () => {
      const port = await until(`LogicalPort of ${name}`, async () => stage.findPort(`a/${name}.default.vm`));
      return port.metadata.uid ?? '';
    },
    whenAsked: async (chassis) => {
      await until(
        `${lsp} on ${chassis}; so far ${asked.join(' > ')}`,
        async () => asked.at(-1) === chassis || undefined,
      );
    },
    [Symbol.dispose]: stop,
  };
}
