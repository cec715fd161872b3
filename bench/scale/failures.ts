import { setTimeout as delay } from 'node:timers/promises';
import { countWrites, describeWrites } from './audit.ts';
import { whenQuiet } from './fill.ts';
import { createPods, deletePods, formatPodPort, range } from './load.ts';
import { namespaceOf } from './objects.ts';
import type { OperatorProcess } from './operators.ts';
import { round } from './report.ts';
import type { Stage } from './stage.ts';

type Say = (line: string) => void;

/** API writes of its LogicalPort per pod, from its creation over bound to its release. */
export async function measureLife(stage: Stage, count: number, say: Say): Promise<number> {
  const pods = range(0, count);
  const ports = pods.map((pod) => formatPodPort(pod, 'life'));
  stage.audit.take();
  await createPods(stage, pods, 'life');
  await stage.ports.until('pods bound', () => ports.every((port) => stage.ports.find(port)?.bound === true));
  const written = await whenQuiet(stage);
  await deletePods(stage, pods, 'life');
  await stage.ports.until('ports released', () => ports.every((port) => stage.ports.find(port) === undefined));
  written.push(...(await whenQuiet(stage)));
  say(`${count} pods made and deleted; ${describeWrites(written)}`);
  return round(countWrites(written.filter((write) => write.name.startsWith('life-'))).ports / count, 3);
}

export type Pair = { readonly leader: OperatorProcess; readonly standby: OperatorProcess };

/**
 * Kills the leader while another one stands by, and creates a pod at once: seconds from the kill until the pod's port is
 * reserved in the API and in the Northbound database.
 */
export async function measureTakeover(stage: Stage, { leader, standby }: Pair, index: number): Promise<number> {
  const name = `pod/${namespaceOf(index)}/takeover-${index}/eth0`;
  const key = formatPodPort(index, 'takeover');
  await leader.kill('SIGKILL');
  const killedAt = performance.now();
  await createPods(stage, [index], 'takeover');
  await poll(`${name} served`, () => stage.ports.find(key) !== undefined && stage.farm.hasPort(name));
  const seconds = (performance.now() - killedAt) / 1000;
  await standby.whenLogged('first pass done', killedAt);
  return round(seconds);
}

export type ColdStart = { readonly seconds: number; readonly writes: number; readonly operator: OperatorProcess };

/** Starts an operator where none is: seconds from the process's start until everything was looked at once. */
export async function measureColdStart(stage: Stage, name: string, say: Say): Promise<ColdStart> {
  stage.audit.take();
  const operator = await stage.startOperator(name);
  const line = await operator.whenLogged('first pass done', operator.startedAt);
  const seconds = (performance.now() - operator.startedAt) / 1000;
  const writes = (await whenQuiet(stage)).filter((write) => write.resource !== 'leases');
  say(`first pass: ${JSON.stringify({ ...line, msg: undefined, time: undefined, level: undefined })}`);
  if (writes.length > 0) say(`written although nothing had changed: ${describeWrites(writes)}`);
  return { seconds: round(seconds), writes: writes.length, operator };
}

/** Puts an empty Northbound database in the place of the full one: seconds until all rows of ports are back. */
export async function measureRebuild(stage: Stage, say: Say): Promise<number> {
  const ports = stage.farm.countPorts();
  stage.farm.pause();
  await stage.wipeNorthbound();
  const begun = performance.now();
  let shown = begun;
  await poll('the rows are gone from our sight', () => stage.farm.countPorts() < ports, 30_000);
  await poll('all rows back', () => {
    if (performance.now() - shown > 5000) {
      shown = performance.now();
      say(`${stage.farm.countPorts()} of ${ports} rows are back`);
    }
    return stage.farm.countPorts() >= ports;
  });
  return round((performance.now() - begun) / 1000);
}

async function poll(what: string, condition: () => boolean, timeoutMs = 180_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`);
    await delay(20);
  }
}
