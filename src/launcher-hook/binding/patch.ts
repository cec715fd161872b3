import { ALLOW_BRIDGE_MIGRATION } from '../../api/annotations.ts';
import type { Binding } from '../../api/binding.ts';
import { asFields } from '../../api/fields.ts';
import type { PatchOperation } from '../admission.ts';
import type { Decision } from './decide.ts';
import type { KubevirtSettings } from './kubevirt.ts';
import type { Machine } from './machine.ts';

type Changed = { readonly decision: Decision; readonly to: Binding; readonly replaces: readonly string[] };

/** Writes the bindings that were decided on, and the default NIC of a guest that lists none. */
export function planInterfaces(
  machine: Machine,
  decisions: readonly Decision[],
  kubevirt: KubevirtSettings,
): PatchOperation[] {
  const changed = decisions.flatMap((decision) => (decision.change ? { decision, ...decision.change } : []));
  const [first] = changed;
  if (first === undefined) return [];
  if (machine.bare) return planDefaultNic(machine, formatBinding(first.to, kubevirt));
  return changed.flatMap((change) => planInterface(machine, change, formatBinding(change.to, kubevirt)));
}

type Field = { readonly key: string; readonly value: object };

function formatBinding(to: Binding, { managedTap }: KubevirtSettings): Field {
  return to === 'managedTap' ? { key: 'binding', value: { name: managedTap?.name ?? to } } : { key: to, value: {} };
}

function planInterface({ specPath }: Machine, { decision, replaces }: Changed, { key, value }: Field) {
  const base = `${specPath}/domain/devices/interfaces/${decision.slot.index}`;
  const removed = replaces.map((other) => ({ op: 'remove', path: `${base}/${other}` }) as const);
  const isThere = asFields(decision.slot.raw.get(key)) !== undefined;
  return [...removed, ...(isThere ? [] : [{ op: 'add', path: `${base}/${key}`, value } as const])];
}

/** As `SetDefaultNetworkInterface` of KubeVirt (pkg/network/vmispec/defaults.go), which then finds nothing to add. */
function planDefaultNic({ specPath, devices }: Machine, { key, value }: Field): PatchOperation[] {
  const interfaces = [{ name: 'default', [key]: value }];
  const path = `${specPath}/domain/devices`;
  return [
    devices === undefined
      ? { op: 'add', path, value: { interfaces } }
      : { op: 'add', path: `${path}/interfaces`, value: interfaces },
    { op: 'add', path: `${specPath}/networks`, value: [{ name: 'default', pod: {} }] },
  ];
}

/** Whether the launcher is to have the annotation already; any value counts. */
export function mayMigrateBridge({ metadata }: Machine): boolean {
  return asFields(metadata?.get('annotations'))?.has(ALLOW_BRIDGE_MIGRATION) === true;
}

/** The annotation that KubeVirt wants for live migration with bridge on the pod network. */
export function planMigrationAnnotation({ metadata, metadataPath }: Machine): PatchOperation {
  const annotations = { [ALLOW_BRIDGE_MIGRATION]: '' };
  if (metadata === undefined) return { op: 'add', path: metadataPath, value: { annotations } };
  const path = `${metadataPath}/annotations`;
  if (asFields(metadata.get('annotations')) === undefined) return { op: 'add', path, value: annotations };
  return { op: 'add', path: `${path}/${ALLOW_BRIDGE_MIGRATION.replaceAll('/', '~1')}`, value: '' };
}
