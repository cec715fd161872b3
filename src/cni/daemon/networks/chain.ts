import { existsSync, statSync } from 'node:fs';
import type { WireRequest } from '../../protocol.ts';
import type { Context } from '../context.ts';
import { del } from '../del.ts';
import { CniError } from '../errors.ts';
import { addSingle } from '../single.ts';
import { runPlugin } from './exec.ts';
import { asText, getOwn, type Json } from './json.ts';
import type { LedgerEntry } from './ledger.ts';
import { OUR_TYPES } from './who.ts';

/** Where plugins are, and what carries out our own part. */
export type Hands = { readonly context: Context; readonly binDir: string };

type Place = Pick<LedgerEntry, 'containerId' | 'ifname' | 'netns' | 'cniArgs' | 'plugins'>;

const isOurs = (plugin: Json): boolean => OUR_TYPES.includes(getOwn(plugin, 'type'));

/**
 * ADD through all plugins of a network, each with the result of the one before (CNI SPEC.md section 3). Our own part runs
 * in this process. Throws CniError; what was made until then is the caller's to take back with deleteChain.
 */
export async function addChain(hands: Hands, place: Place, signal: AbortSignal): Promise<Json> {
  let result: Json | undefined;
  for (const plugin of place.plugins) {
    const config = result === undefined ? plugin : { ...plugin, prevResult: result };
    const made = isOurs(plugin)
      ? await addOurs(hands, place, config, signal)
      : await runPlugin({ binDir: hands.binDir, plugin: config, env: formatEnv('ADD', place, place.netns) }, signal);
    result = made ?? result;
  }
  if (result === undefined) throw new CniError('decoding', 'no plugin of the network has given a result');
  return result;
}

/**
 * DEL through all plugins, the last one first, each with the final result. One that fails does not keep the others back:
 * an address that the last one cannot give up is no reason to leave the interface. Throws the first failure at the end.
 */
export async function deleteChain(hands: Hands, entry: LedgerEntry, signal: AbortSignal): Promise<void> {
  const failures: unknown[] = [];
  for (const plugin of entry.plugins.toReversed()) {
    try {
      if (isOurs(plugin)) await del(hands.context, entry);
      else await deleteOthers(hands, entry, plugin, signal);
    } catch (error) {
      failures.push(error);
    }
  }
  for (const failure of failures) throw failure;
}

async function deleteOthers(hands: Hands, entry: LedgerEntry, plugin: Json, signal: AbortSignal): Promise<void> {
  const hasResult = entry.result !== undefined && !/^0\.3\./.test(asText(getOwn(plugin, 'cniVersion')) ?? '');
  const config = hasResult ? { ...plugin, prevResult: entry.result } : plugin;
  const env = formatEnv('DEL', entry, isSameNetns(entry) ? entry.netns : '');
  await runPlugin({ binDir: hands.binDir, plugin: config, env }, signal);
}

/** CHECK through the plugins of others; ours has its own way. Throws CniError. */
export async function checkChain(hands: Hands, entry: LedgerEntry, signal: AbortSignal): Promise<void> {
  for (const plugin of entry.plugins.filter((item) => !isOurs(item))) {
    const config = { ...plugin, prevResult: entry.result };
    await runPlugin({ binDir: hands.binDir, plugin: config, env: formatEnv('CHECK', entry, entry.netns) }, signal);
  }
}

async function addOurs({ context }: Hands, place: Place, config: Json, signal: AbortSignal): Promise<Json> {
  const env = new Map(Object.entries({ ...formatEnv('ADD', place, place.netns), CNI_COMMAND: 'ADD' }));
  const request: WireRequest = { env, stdin: JSON.stringify(config) };
  return addSingle(context, request, signal);
}

function formatEnv(command: string, place: Place, netns: string): Record<string, string> {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: place.containerId,
    CNI_NETNS: netns,
    CNI_IFNAME: place.ifname,
    CNI_ARGS: place.cniArgs,
  };
}

/** `device:inode` of a namespace, empty when there is none at the path. */
export function readNetnsId(path: string): string {
  const found = path === '' || !existsSync(path) ? undefined : statSync(path, { throwIfNoEntry: false });
  return found === undefined ? '' : `${found.dev}:${found.ino}`;
}

/** The namespace of the ADD is still at its path, and not another pod's. */
export function isSameNetns(entry: Pick<LedgerEntry, 'netns' | 'netnsId'>): boolean {
  return entry.netnsId !== '' && readNetnsId(entry.netns) === entry.netnsId;
}
