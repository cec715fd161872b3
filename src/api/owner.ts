/** What our rows in OVN carry in `external_ids`, so that we find them and touch no others (DESIGN.md section 5). */
export const CLUSTER_KEY = 'mooring-cluster';
export const OWNER_KEY = 'mooring-owner';
export const UID_KEY = 'mooring-uid';
/** Beside the owner: which of an owner's rows this is, where the table has no name column (routes, DHCP options). */
export const ROW_KEY = 'mooring-row';

/** The identity of a row's owner. `kind` is LogicalPort, Subnet, Vpc, Node, Cluster, NetworkPolicy or PolicyGroup. */
export type RowOwner = {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
};

/** `LogicalPort/<ns>/<name>` or `Subnet/<name>`. */
export function formatOwner(owner: Omit<RowOwner, 'uid'>): string {
  return owner.namespace === undefined
    ? `${owner.kind}/${owner.name}`
    : `${owner.kind}/${owner.namespace}/${owner.name}`;
}

/** The inverse of formatOwner; undefined when the text is not one. */
export function parseOwner(text: string): Omit<RowOwner, 'uid'> | undefined {
  const [kind, first, second, ...rest] = text.split('/');
  if (!kind || !first || rest.length > 0 || second === '') return undefined;
  return second === undefined ? { kind, name: first } : { kind, namespace: first, name: second };
}

/** The `external_ids` of one row of ours. */
export function formatExternalIds(cluster: string, owner: RowOwner, row?: string): ReadonlyMap<string, string> {
  const ids = new Map([
    [CLUSTER_KEY, cluster],
    [OWNER_KEY, formatOwner(owner)],
    [UID_KEY, owner.uid],
  ]);
  if (row !== undefined) ids.set(ROW_KEY, row);
  return ids;
}
