import { join } from 'node:path';
import { collect, type Launcher, type Message } from '../../../../src/launcher-hook/sidecar/testing/launcher.ts';
import type { Pod, Vmi } from '../objects.ts';
import { type CloudInitData, readCloudInit, writeSeed } from './cloud-init.ts';
import { formatDomain, parseDomain } from './domain.ts';
import type { Device, GuestRecord } from './record.ts';
import { WiringError } from './wiring.ts';

/** What hook sidecars and the VMI make of the guest: the disk with cloud-init's data, and devices by the NIC's name. */
export type Prepared = { readonly seed?: string; readonly devices: ReadonlyMap<string, Device> };

/** Where a launcher's `compute` container, by its pid, sees the folders of its sidecars' sockets, from outside of it. */
export const findHooks = (pid: number): string => `/proc/${pid}/root/var/run/kubevirt-hooks`;

/** `hooks` has a folder for each sidecar, `dir` is the guest's own. */
export type Asking = {
  readonly vmi: Vmi;
  readonly pod: Pod;
  readonly record: GuestRecord;
  readonly hooks: string;
  readonly dir: string;
};

/**
 * Asks the sidecars of a launcher as virt-launcher does (pkg/hooks/manager.go): of those that know PreCloudInitIso the
 * first, of those that know OnDefineDomain every one, each with what the one before made. Undefined while not every sidecar
 * answers; throws WiringError for what KubeVirt's launcher dies of.
 */
export async function prepareGuest(asking: Asking): Promise<Prepared | undefined> {
  const sidecars = await collectAll(asking.hooks, asking.pod);
  if (sidecars === undefined) return undefined;
  try {
    const vmi = Buffer.from(JSON.stringify(asking.vmi));
    const data = await callCloudInit(sidecars, vmi, readCloudInit(asking.vmi));
    const devices = parseDomain(await callDomain(sidecars, vmi, formatDomain(asking.record)));
    return data === undefined ? { devices } : { devices, seed: await writeSeed(asking.dir, data) };
  } finally {
    for (const sidecar of sidecars) sidecar.close();
  }
}

/** Tells those that want to know that the guest has ended; without it they would keep the launcher's pod. */
export async function endSidecars(hooks: string, pod: Pod): Promise<void> {
  await Promise.all(
    listSidecars(pod).map(async (name) => {
      const sidecar = await collect(join(hooks, name)).catch(() => undefined);
      if (sidecar?.version === 'v1alpha3') await sidecar.call('Shutdown', new Map()).catch(() => undefined);
      sidecar?.close();
    }),
  );
}

type Container = { readonly name: string };

/** Names of the pod's sidecars, which are those of their folders. */
export function listSidecars(pod: Pod): string[] {
  const containers = (pod.spec.containers ?? []) as readonly Container[];
  return containers.flatMap(({ name }) => (name.startsWith('hook-sidecar-') ? [name] : []));
}

/** All of them or none: one that has not made its socket yet is looked for again. */
async function collectAll(hooks: string, pod: Pod): Promise<Launcher[] | undefined> {
  const found = await Promise.allSettled(listSidecars(pod).map((name) => collect(join(hooks, name))));
  const ready = found.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  if (ready.length === found.length) return ready;
  for (const sidecar of ready) sidecar.close();
  return undefined;
}

const FIELD = { domain: 1, noCloudSource: 1, vmi: 2, cloudInit: 3 } as const;

async function callCloudInit(sidecars: readonly Launcher[], vmi: Buffer, data: CloudInitData | undefined) {
  const first = sidecars.find((one) => one.hookPoints.includes('PreCloudInitIso') && one.version !== 'v1alpha1');
  if (first === undefined) return data;
  if (data === undefined) throw new WiringError('a hook sidecar fills in cloud-init data, and there are none');
  const { UserData: userData, NetworkData: networkData } = data;
  const fields = new Map([
    [FIELD.noCloudSource, [encodeJson({ userData, ...(networkData === '' ? {} : { networkData }) })]],
    [FIELD.vmi, [vmi]],
    [FIELD.cloudInit, [encodeJson(data)]],
  ]);
  const answer = await call(first, 'PreCloudInitIso', fields);
  return JSON.parse(readField(answer, FIELD.cloudInit)) as CloudInitData;
}

async function callDomain(sidecars: readonly Launcher[], vmi: Buffer, domain: string): Promise<string> {
  let xml = domain;
  for (const sidecar of sidecars.filter((one) => one.hookPoints.includes('OnDefineDomain'))) {
    const fields = new Map([
      [FIELD.domain, [Buffer.from(xml)]],
      [FIELD.vmi, [vmi]],
    ]);
    xml = readField(await call(sidecar, 'OnDefineDomain', fields), FIELD.domain);
  }
  return xml;
}

const encodeJson = (value: object): Buffer => Buffer.from(JSON.stringify(value));
const readField = (message: Message, field: number): string => (message.get(field)?.[0] ?? Buffer.alloc(0)).toString();

/** An error of a sidecar's keeps the guest from its start. */
async function call(sidecar: Launcher, method: string, fields: Message): Promise<Message> {
  try {
    return await sidecar.call(method, fields);
  } catch (error) {
    throw new WiringError(`hook sidecar, ${method}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
