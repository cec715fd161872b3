import type { NetworkPolicy } from '../../../api/objects.ts';
import { makeTestSettings } from '../../networks/testing/subnets.ts';
import type { Endpoint, NamedPort } from '../groups.ts';
import { type PolicyRows, type PolicyState, planPolicies } from '../plan.ts';
import type { Labels } from '../selectors.ts';

/** A policy `p` of namespace `a`, unless other names are given. */
export const makePolicy = (spec: object, name = 'p', namespace = 'a'): NetworkPolicy => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace, uid: `uid-${name}` },
  spec,
});

/** A pod `<namespace>/<name>` with its switch port. */
export function makeEndpoint(key: string, labels: Labels = {}, ports: readonly NamedPort[] = []): Endpoint {
  const [namespace = ''] = key.split('/');
  return { lsp: `pod/${key}/eth0`, namespace, labels, ports };
}

/** The rows for policies among pods; namespaces are labelled `team=<name>`. */
export function planTest(
  policies: readonly NetworkPolicy[],
  endpoints: readonly Endpoint[] = [],
  more: Partial<PolicyState> = {},
): PolicyRows {
  const { cluster, join } = makeTestSettings();
  const names = new Set([...endpoints.map(({ namespace }) => namespace), 'a', 'b']);
  const namespaces = new Map([...names].map((name): [string, Labels] => [name, { team: name }]));
  return planPolicies({ cluster, join, policies, namespaces, endpoints, ...more });
}

/** ACLs as lines; groups in them are called by their members, such as `<x y>`. */
export function showAcls({ groups, acls }: PolicyRows): string[] {
  const names = [...groups].map(([name, ports]): [string, string] => [
    name,
    `<${ports.map(shorten).sort().join(' ')}>`,
  ]);
  const rename = (text: string) => names.reduce((shown, [name, label]) => shown.replaceAll(name, label), text);
  return acls.map(({ row, priority, direction, match, action }) =>
    rename(`${row.split('/').slice(3).join('/')} ${priority} ${direction} ${action} ${match}`),
  );
}

const shorten = (lsp: string): string => lsp.replace(/^pod\//, '').replace(/\/eth0$/, '');
