import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { KINDS } from '../../src/api/group.ts';
import { createResource, type KubeObject, type ResourceKind, type Transport } from '../../src/kube/index.ts';
import { until } from '../ovsdb/server.ts';
import { CRD, NAD_CRD } from './crds.ts';

const ROOT = join(import.meta.dirname, '../..');
const KUBEVIRT = 'test/fixtures/kubevirt-v1.8.4/crds-v1.8.4';

/** Without these the operator does nothing. */
export const NEEDED = [KINDS.logicalPort, KINDS.subnet, KINDS.vpc, KINDS.ipPool, KINDS.vm, KINDS.vmi, KINDS.vmim];

/** Teaches an API server kinds of Mooring and KubeVirt, or NADs; resolves when it serves them, throws after a minute. */
export async function teachKinds(transport: Transport, kinds: readonly ResourceKind[]): Promise<void> {
  for (const kind of kinds) {
    const { status: _, ...crd } = readCrd(kind);
    await createResource(transport, CRD).create(crd);
  }
  for (const kind of kinds) {
    const list = () => createResource(transport, kind).list({ limit: 1 });
    await until(`${kind.plural} served`, () => list().then(Boolean, () => false), 60_000);
  }
}

function readCrd({ group, plural }: ResourceKind): KubeObject & { status?: unknown } {
  const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
  if (group === KINDS.nad.group) return NAD_CRD;
  if (group === KINDS.vm.group) return JSON.parse(read(`${KUBEVIRT}/${plural}.${group}.json`)) as KubeObject;
  return parse(read(`crds/${group}_${plural}.yaml`)) as KubeObject;
}
