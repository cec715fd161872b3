import type { WireAnswer, WireError, WireRequest } from '../protocol.ts';
import { add } from './add.ts';
import { checkSupported, findIpam } from './capabilities.ts';
import { check } from './check.ts';
import type { Context } from './context.ts';
import { del } from './del.ts';
import { CniError, formatCniError, toCniError, wordDelError } from './errors.ts';
import { gc } from './gc.ts';
import { addIpam } from './ipam.ts';
import { type Command, findVersion, parseAttach, parseCommand, parseConfig, parseKey } from './request.ts';
import { formatIpamResult, formatResult, parsePrevResult } from './result.ts';
import { status } from './status.ts';
import { formatVersions } from './version.ts';

/** Gives what is to be printed, undefined for nothing. */
type Verb = (context: Context, request: WireRequest, caller: AbortSignal) => Promise<object | undefined>;

/** The one list of verbs. */
const VERBS: Record<Command, Verb> = {
  ADD: async (context, request, caller) => {
    const attach = parseAttach(request);
    const { config } = attach;
    checkSupported(config);
    if (findIpam(config) !== undefined) {
      return formatIpamResult(await addIpam(context, attach, caller), config.cniVersion);
    }
    const before = parsePrevResult(config, attach.ifname);
    return formatResult(await add(context, attach, caller), config.cniVersion, before);
  },
  DEL: async (context, request) => {
    await del(context, parseKey(request.env));
    return undefined;
  },
  CHECK: async (context, request) => {
    await check(context, parseAttach(request));
    return undefined;
  },
  STATUS: async (context) => {
    status(context);
    return undefined;
  },
  GC: async (context, request) => {
    await gc(context, parseConfig(request.stdin));
    return undefined;
  },
  VERSION: async (_context, request) => formatVersions(findVersion(request)),
};

/** Answers any call. Never throws: whatever happens becomes an error of the specification. */
export async function answer(context: Context, request: WireRequest, caller: AbortSignal): Promise<WireAnswer> {
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
