import type { BindingPlugin, KubeNode, Pod, Vm, Vmi, Vmim } from '../objects.ts';
import { planAutomatic, planCollection, type Traffic } from './plan-automatic.ts';
import { planMigrations } from './plan-migration.ts';
import { planLiveUpdate } from './plan-template.ts';
import { planVm, planVmStatus } from './plan-vm.ts';
import { planVmi } from './plan-vmi.ts';
import type { Settings } from './settings.ts';

/** All that the controller half knows about one VM name: a plain record out of the caches. */
export type Observed = {
  vm: Vm | undefined;
  vmi: Vmi | undefined;
  /** Launchers of this VMI, by owner. */
  pods: readonly Pod[];
  /** Migrations that name this VMI. */
  migrations: readonly Vmim[];
  nodes: readonly KubeNode[];
  /** `namespace/name` of every NAD. */
  nads: ReadonlySet<string>;
  /** Pods that attach volumes to launchers. */
  attachments: readonly Pod[];
  /** Migrations of the whole cluster that are under way. */
  traffic: Traffic;
};

/** What is fixed for one turn. `now` is RFC 3339 in whole seconds. */
export type Context = {
  now: string;
  image: string;
  /** Seconds for `--qemu-timeout` of a launcher made in this turn. */
  qemuTimeout: number;
  plugins: Readonly<Record<string, BindingPlugin>>;
  settings: Settings;
};

export type Kind = 'VirtualMachine' | 'VirtualMachineInstance' | 'VirtualMachineInstanceMigration' | 'Pod';
export type Note = { on: Kind; name: string; type: 'Normal' | 'Warning'; reason: string; message: string };

/** One write to the API; `update` replaces the object, `status` its status subresource. */
export type Write =
  | { verb: 'create'; kind: Kind; object: Vmi | Vmim | Pod; note?: Note }
  | { verb: 'update' | 'status'; kind: Kind; object: Vm | Vmi | Vmim | Pod; note?: Note }
  | { verb: 'delete'; kind: Kind; name: string; namespace: string; uid: string; note?: Note };

/**
 * The next write that brings a VM, its VMI, launchers and migrations forward, or undefined when there is nothing to do
 * before something else changes. The order within a turn is that of the recorded flows: VMI and pods, then migrations,
 * then what the VM's status says about them.
 */
export function planNext(observed: Observed, context: Context): Write | undefined {
  // Migrations go with their VMI, before another VMI of that name comes.
  const dissolved = observed.vmi === undefined ? planMigrations(observed, context) : undefined;
  return (
    dissolved ??
    planVm(observed, context) ??
    planLiveUpdate(observed, context) ??
    planVmi(observed, context) ??
    planMigrations(observed, context) ??
    planAutomatic(observed, context) ??
    planCollection(observed) ??
    planVmStatus(observed, context)
  );
}
