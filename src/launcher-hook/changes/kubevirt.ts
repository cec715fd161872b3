import { asFields, type Fields } from '../../api/fields.ts';

const GATE = 'LiveUpdateNADRef';

/** Whether this KubeVirt moves a running guest to another NAD by a live migration: from 1.9 on, in 1.8 by a feature gate. */
export function movesNetworks(kubevirt: unknown): boolean {
  const gates = walk(kubevirt, 'spec', 'configuration', 'developerConfiguration')?.get('featureGates');
  if (Array.isArray(gates) && gates.includes(GATE)) return true;
  const version = walk(kubevirt, 'status')?.get('observedKubeVirtVersion');
  const [, major, minor] = /^v?(\d{1,4})\.(\d{1,4})\b/.exec(typeof version === 'string' ? version : '') ?? [];
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 9);
}

const walk = (object: unknown, ...path: string[]): Fields | undefined =>
  path.reduce((fields, key) => asFields(fields?.get(key)), asFields(object));
