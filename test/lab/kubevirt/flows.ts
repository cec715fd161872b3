import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '../../../src/kube/index.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/kubevirt-v1.8.4');

export type FlowChange = {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  kind: string;
  name: string;
  diff?: Record<string, { was?: unknown; now?: unknown }>;
};
export type FlowObject = KubeObject & {
  kind: string;
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
};
export type FlowStep = {
  step: string;
  writer: string;
  note: string;
  time: string;
  changes: FlowChange[];
  objects: FlowObject[];
  specElided?: string[];
};

/** Names of the recorded flows (fixtures/kubevirt-v1.8.4/flows/README.md). */
export function listFlows(): string[] {
  return readdirSync(join(FIXTURES, 'flows'))
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length));
}

/**
 * One recorded flow. Elided specs are put back, so that every object is whole: of a pod from its first record with its
 * present node, of a VM or VMI from its last record that has one.
 */
export function loadFlow(name: string): FlowStep[] {
  const steps = JSON.parse(readFileSync(join(FIXTURES, 'flows', `${name}.json`), 'utf8')) as FlowStep[];
  const specs = new Map<string, Record<string, unknown>>();
  for (const step of steps) for (const object of step.objects) restoreSpec(step, object, specs);
  return steps;
}

function restoreSpec(step: FlowStep, object: FlowObject, specs: Map<string, Record<string, unknown>>): void {
  const key = `${object.kind}/${object.metadata?.uid ?? ''}`;
  if (step.specElided?.includes(`${object.kind}/${object.metadata?.name ?? ''}`)) {
    object.spec = { ...specs.get(key), ...object.spec };
  }
  if (object.spec !== undefined) specs.set(key, object.spec);
}

/** Recorded launchers outside the flows. */
export function loadLaunchers(): FlowObject[] {
  const list = JSON.parse(readFileSync(join(FIXTURES, 'virt-launcher-pods.json'), 'utf8')) as { items: FlowObject[] };
  return list.items;
}
