import type { WireAnswer, WireError, WireRequest } from '../protocol.ts';
import { findIpam } from './capabilities.ts';
import { check } from './check.ts';
import { del } from './del.ts';
import { CniError, formatCniError, toCniError, wordDelError } from './errors.ts';
import { gc } from './gc.ts';
import { type HostPortsSettings, tellHostPorts } from './host-ports.ts';
import type { Networks } from './networks/networks.ts';
import { type Command, findVersion, parseAttach, parseCommand, parseConfig, parseKey, requireVerb } from './request.ts';
import { addSingle } from './single.ts';
import { type StatusContext, status } from './status.ts';
import { formatVersions } from './version.ts';

/** What answers calls. Without `networks` only the interface of the call itself is looked after. */
export type Served = StatusContext & { readonly networks?: Networks; readonly install?: HostPortsSettings };

/** Gives what is to be printed, undefined for nothing. */
type Verb = (context: Served, request: WireRequest, caller: AbortSignal) => Promise<object | undefined>;

/** The one list of verbs. */
const VERBS: Record<Command, Verb> = {
  ADD: async (context, request, caller) => {
    const attach = parseAttach(request);
    const { networks, install } = context;
    const isOfPod = networks?.concerns(attach) === true;
    const result = await (isOfPod ? networks.add(request, attach, caller) : addSingle(context, request, caller));
    if (install !== undefined) await tellHostPorts(context, install, attach);
    return result;
  },
  DEL: async (context, request) => {
    const key = parseKey(request.env);
    // A plugin of others that we have called for its DEL asks for its address: the pod itself is not meant.
    if (isForAddress(request)) return del(context, key).then(() => undefined);
    if (context.networks?.isWhole(key) === true) await context.networks.delete(key.containerId);
    await del(context, key);
    return undefined;
  },
  CHECK: async (context, request) => {
    const attach = parseAttach(request);
    requireVerb('CHECK', attach.config);
    const done = findIpam(attach.config) === undefined && (await context.networks?.check(attach)) === true;
    if (!done) await check(context, attach);
    return undefined;
  },
  STATUS: async (context, request) => {
    const config = parseConfig(request.stdin);
    requireVerb('STATUS', config);
    await status(context, config);
    return undefined;
  },
  GC: async (context, request) => {
    const config = parseConfig(request.stdin);
    requireVerb('GC', config);
    await gc(context, config, context.networks);
    return undefined;
  },
  VERSION: async (_context, request) => formatVersions(findVersion(request)),
};

/** DEL must work whatever stands in the configuration: one that cannot be read is the runtime's own. */
function isForAddress(request: WireRequest): boolean {
  try {
    return findIpam(parseConfig(request.stdin)) !== undefined;
  } catch {
    return false;
  }
}

/** Answers any call. Never throws: whatever happens becomes an error of the specification. */
export async function answer(context: Served, request: WireRequest, caller: AbortSignal): Promise<WireAnswer> {
  let command: Command | undefined;
  try {
    command = parseCommand(request);
    const output = await VERBS[command](context, request, caller);
    return { status: 0, output: output === undefined ? '' : `${JSON.stringify(output)}\n` };
  } catch (error) {
    const problem = toCniError(error);
    if (!(error instanceof CniError)) context.log.error({ err: error, command }, 'a call has failed unexpectedly');
    const worded = command === 'DEL' ? wordDelError(problem) : problem;
    return { status: 1, output: formatCniError(worded, findVersion(request)) };
  }
}

/** Answers what could not be read as a call. */
export function refuse(error: WireError): WireAnswer {
  const code = error.kind === 'Skew' ? 'protocolMismatch' : 'decoding';
  const hint = error.kind === 'Skew' ? '; the agent installs its own shim when it is ready: try again' : '';
  return { status: 1, output: formatCniError(new CniError(code, `${error.message}${hint}`), '1.0.0') };
}
