import { CONFIGURE_GUEST, HOOK_SIDECARS } from '../../api/annotations.ts';
import { asFields } from '../../api/fields.ts';
import type { KubeVirt } from '../../api/objects.ts';
import { quote } from '../../ipam/ranges.ts';
import { ALLOWED, type Judge, type PatchOperation } from '../admission.ts';
import type { Cluster } from '../records.ts';
import { type Machine, type Question, readMachine } from './machine.ts';
import { mergeSidecar, type SidecarImage } from './sidecars.ts';

export type InjectionPlan = { readonly patch: readonly PatchOperation[]; readonly warnings: readonly string[] };

/** What has to be known of the cluster. */
type Sight = Pick<Cluster, 'findKubevirt'>;

const NOTHING: InjectionPlan = { patch: [], warnings: [] };

/**
 * Puts our hook sidecar into the launcher of a machine whose guest is to be configured, and takes it out again where it
 * would do harm: a launcher without cloud-init data dies of it. Planning again on the patched object gives nothing to
 * write. Takes any object without throwing; what is no VM or VMI gets nothing.
 */
export function planSidecar(question: Question, cluster: Sight, image: SidecarImage): InjectionPlan {
  const machine = readMachine(question);
  if (machine === undefined) return NOTHING;
  const asked = machine.annotations.get(CONFIGURE_GUEST);
  if (asked !== 'true') return { ...write(machine, undefined), warnings: listMistakes(machine, asked) };
  const gate = readGate(cluster.findKubevirt());
  const obstacle = findObstacle(machine, gate);
  if (obstacle !== undefined) {
    // Of what cannot be seen nothing follows.
    return { ...(gate === 'unknown' ? NOTHING : write(machine, undefined)), warnings: [say(obstacle)] };
  }
  const { patch, warnings } = write(machine, image);
  return { patch, warnings: [...warnings, ...machine.nameless.slice(0, MOST_NICS).map(sayNameless)] };
}

/** planSidecar as a judge of the webhook. */
export function createSidecarJudge(cluster: Sight, image: SidecarImage): Judge {
  return (admission) => ({ ...ALLOWED, ...planSidecar(admission, cluster, image) });
}

/** The API server cuts a warning at 256 characters. */
const MAX_NAME = 63;
const MOST_NICS = 4;
const say = (text: string): string => `${CONFIGURE_GUEST}: ${text}`;

const sayNameless = (nic: string): string =>
  say(`NIC ${quote(nic.slice(0, MAX_NAME))} is under masquerade and needs macAddress; without it no NIC is configured`);

/** The annotation where it does not count, or with a value that does not. */
function listMistakes({ outer }: Machine, asked: string | undefined): string[] {
  if (asked === undefined && outer.has(CONFIGURE_GUEST)) {
    return [say('it counts on the template (spec.template.metadata.annotations), not on the VirtualMachine')];
  }
  return asked === undefined || asked === 'false' ? [] : [say('its value is not "true"; it counts as absent')];
}

type Gate = 'on' | 'off' | 'unknown';

/** virt-api refuses the annotation without its feature gate, and with it the whole machine. */
function readGate(kubevirt: KubeVirt | undefined): Gate {
  if (kubevirt === undefined) return 'unknown';
  const developer = asFields(asFields(kubevirt.spec?.configuration)?.get('developerConfiguration'));
  const names = (key: string): readonly unknown[] => {
    const list = developer?.get(key);
    return Array.isArray(list) ? list : [];
  };
  return names('featureGates').includes(GATE) && !names('disabledFeatureGates').includes(GATE) ? 'on' : 'off';
}

const GATE = 'Sidecar';

function findObstacle({ cloudInit }: Machine, gate: Gate): string | undefined {
  if (cloudInit === 'none') {
    return 'the machine has no volume cloudInitNoCloud or cloudInitConfigDrive; its guest is not configured';
  }
  if (cloudInit === 'users') return 'the cloud-init volume has network data of its own, which stand';
  if (gate === 'on') return undefined;
  return gate === 'off'
    ? 'KubeVirt lacks the feature gate Sidecar; the guest is not configured'
    : 'no KubeVirt object can be seen, and so not whether it has the feature gate Sidecar; nothing is added';
}

function write({ path, annotations }: Machine, image: SidecarImage | undefined): InjectionPlan {
  const before = annotations.get(HOOK_SIDECARS);
  const list = mergeSidecar(before, image);
  const key = `${path}/${HOOK_SIDECARS.replaceAll('/', '~1')}`;
  if (!list.ok) {
    const warnings =
      image === undefined ? [] : [`${HOOK_SIDECARS} is no list of objects; Mooring's sidecar is not added`];
    return { patch: [], warnings };
  }
  if (list.text === before) return NOTHING;
  if (list.text === undefined) return { patch: [{ op: 'remove', path: key }], warnings: [] };
  return { patch: [{ op: before === undefined ? 'add' : 'replace', path: key, value: list.text }], warnings: [] };
}
