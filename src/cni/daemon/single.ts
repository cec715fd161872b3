import type { WireRequest } from '../protocol.ts';
import { add } from './add.ts';
import { checkSupported, findIpam } from './capabilities.ts';
import type { Context } from './context.ts';
import { addIpam } from './ipam.ts';
import { parseAttach } from './request.ts';
import { formatIpamResult, formatResult, parsePrevResult } from './result.ts';

/** ADD of one interface, or of its address when another plugin makes it: the answer in the version of the call. */
export async function addSingle(
  context: Context,
  request: WireRequest,
  caller: AbortSignal,
): Promise<Record<string, unknown>> {
  const attach = parseAttach(request);
  const { config } = attach;
  checkSupported(config);
  if (findIpam(config) !== undefined) {
    return formatIpamResult(await addIpam(context, attach, caller), config.cniVersion);
  }
  const before = parsePrevResult(config, attach.ifname);
  return formatResult(await add(context, attach, caller), config.cniVersion, before);
}
