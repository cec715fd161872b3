import type { Result } from '../../../api/problem.ts';
import { fail, succeed } from '../../../api/problem.ts';
import { parseDefaultNetwork, parseSelections } from '../../../plan/wishes/selection.ts';
import { asJson, asText, getOwn, type Json } from './json.ts';

/** One network that a pod asks for, with what its plugins are to be told. */
export type Selected = {
  readonly namespace: string;
  readonly name: string;
  readonly interface: string;
  /** The interface was named by the pod; otherwise by its place in the list. */
  readonly explicit: boolean;
  readonly requests: Requests;
};

/** Parts of a selection element that go to plugins as they are (multi-network specification v1.3, section 4.1.2). */
export type Requests = {
  /** As written, with or without prefix. */
  readonly ips?: readonly string[];
  readonly mac?: string;
  readonly cniArgs?: Json;
  readonly portMappings?: unknown;
  readonly bandwidth?: Json;
  readonly infinibandGuid?: string;
  readonly deviceId?: string;
  /** Gateways of the pod's default routes, one per family at most; none of them means the network's own. */
  readonly defaultRoute?: readonly string[];
};

/**
 * The pod's networks. The grammar is the parser's of all requests, so that operator and agent read one list in one way.
 * Problem: InvalidRequest.
 */
export function readSelected(text: string, namespace: string): Result<Selected[]> {
  const parsed = parseSelections(text, namespace);
  if (!parsed.ok) return parsed;
  const items = listItems(text);
  const list = parsed.value.map((selection, index) => ({
    namespace: selection.namespace,
    name: selection.name,
    interface: selection.interface,
    explicit: isExplicit(items[index]),
    requests: readRequests(items[index]),
  }));
  for (const selected of list) {
    const checked = refuseOdd(selected);
    if (!checked.ok) return checked;
  }
  return succeed(list);
}

/** The network that replaces the first interface, in either form. Problem: InvalidRequest. */
export function readDefaultNetwork(text: string): Result<Selected> {
  const parsed = parseDefaultNetwork(text);
  if (!parsed.ok) return parsed;
  const { namespace, name, interface: ifname } = parsed.value;
  return refuseOdd({ namespace, name, interface: ifname, explicit: true, requests: readRequests(listItems(text)[0]) });
}

/** The raw elements, text or object; only called on what the parser has accepted. */
function listItems(text: string): readonly (string | Json | undefined)[] {
  if (!/[[{"]/.test(text)) return text.split(',').map((part) => part.trim());
  const value: unknown = JSON.parse(text);
  return (Array.isArray(value) ? value : [value]).map(asJson);
}

function isExplicit(item: string | Json | undefined): boolean {
  if (typeof item === 'string') return item.includes('@');
  return Boolean(getOwn(item, 'interface') || getOwn(item, 'interfaceRequest'));
}

/**
 * Addresses and MAC go into CNI_ARGS too, a list of `KEY=VALUE` with semicolons: a text that holds more than an address
 * could make a plugin believe that the pod is another one. Problem: InvalidRequest.
 */
const PLAIN = /^[0-9A-Za-z.:/_-]{1,64}$/;

function refuseOdd(selected: Selected): Result<Selected> {
  const { ips = [], mac } = selected.requests;
  const odd = [...ips, ...(mac === undefined ? [] : [mac])].find((text) => !PLAIN.test(text));
  if (odd === undefined) return succeed(selected);
  const where = `network ${selected.namespace}/${selected.name}`;
  return fail('InvalidRequest', `${where}: ${JSON.stringify(odd.slice(0, 60))} is neither an address nor a MAC`);
}

function readRequests(item: string | Json | undefined): Requests {
  if (item === undefined || typeof item === 'string') return {};
  const ips = listText(getOwn(item, 'ips'));
  const defaultRoute = getOwn(item, 'default-route');
  const all: { [K in keyof Requests]: Requests[K] | undefined } = {
    ips: ips.length === 0 ? undefined : ips,
    mac: asText(getOwn(item, 'mac')) || undefined,
    cniArgs: asJson(getOwn(item, 'cni-args')),
    portMappings: Array.isArray(getOwn(item, 'portMappings')) ? getOwn(item, 'portMappings') : undefined,
    bandwidth: asJson(getOwn(item, 'bandwidth')),
    infinibandGuid: asText(getOwn(item, 'infiniband-guid')) || undefined,
    deviceId: asText(getOwn(item, 'deviceID')) || undefined,
    defaultRoute: Array.isArray(defaultRoute) ? listText(defaultRoute) : undefined,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function listText(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
