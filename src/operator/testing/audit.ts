import { formatPortLsp, formatSwitchName, NO_CHASSIS } from '../../api/names.ts';
import { parseOwner } from '../../api/owner.ts';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { isHandedOver } from '../../plan/ports/claim-status.ts';
import { type Sharer, sharesMac } from '../../plan/ports/mac-turns.ts';

/** A switch port as the Northbound database has it. */
export type SwitchPort = {
  readonly switch: string;
  readonly name: string;
  readonly type: string;
  /** Entries of the column, such as `<mac> <ip> <ip>`. */
  readonly addresses: readonly string[];
  /** `mooring-owner` and `mooring-cluster`; undefined for rows of others. */
  readonly owner: string | undefined;
  readonly cluster: string | undefined;
  readonly chassis: string | undefined;
};

/** Everything that the invariants are about, at one moment. */
export type Snapshot = {
  readonly cluster: string;
  readonly ports: readonly LogicalPort[];
  readonly subnets: readonly Subnet[];
  readonly switchPorts: readonly SwitchPort[];
  /** UIDs of the VMs, VMIs and pods that there are. */
  readonly owners: ReadonlySet<string>;
  /** IPAMClaims, as `<namespace>/<name>`. */
  readonly claims: ReadonlySet<string>;
};

type Tenant = {
  readonly space: string;
  readonly switch: string;
  readonly name: string;
  readonly text: string;
  /** A LogicalPort's: who may have its MAC, too. */
  readonly sharer?: Sharer;
};

/**
 * What must hold at every moment, also in the middle of any change: nobody has an address or a MAC twice, neither among
 * LogicalPorts nor among rows (I1, I2). LogicalPorts of guests that take turns with a MAC both have it, rows never. Gives
 * what is wrong, in words; nothing when all is well.
 */
export function auditAlways(snapshot: Snapshot): string[] {
  const live = snapshot.ports
    .filter((port) => port.status?.phase !== 'Conflict' && !isHandedOver(port))
    .map((port) => fromPort(snapshot, port));
  const rows = snapshot.switchPorts.filter(({ type }) => type === '').map((row) => fromRow(snapshot, row));
  return [...listTwice('LogicalPorts', live), ...listTwice('switch ports', rows)];
}

/**
 * What must hold when everything has settled: the above, and each port has its row and each row its port (I6, I15), with
 * the same addresses (I3), where its holders are (I4); each port has a reason to be there (I5, I6); the allocator counts
 * what the LogicalPorts have (I11).
 */
export function audit(snapshot: Snapshot): string[] {
  return [
    ...auditAlways(snapshot),
    ...auditRows(snapshot),
    ...snapshot.ports.flatMap((port) => auditOwner(snapshot, port)),
    ...auditCounts(snapshot),
  ];
}

function findSpace({ subnets }: Snapshot, subnet: string): string {
  const { provider, vpc } = subnets.find(({ metadata }) => metadata.name === subnet)?.spec ?? {};
  const isOurs = provider === undefined || provider === 'ovn' || provider.endsWith('.ovn');
  return isOurs ? `vpc ${vpc ?? 'default'}` : `provider ${provider}`;
}

function fromPort(snapshot: Snapshot, { metadata, spec }: LogicalPort): Tenant {
  return {
    space: findSpace(snapshot, spec.subnet),
    switch: formatSwitchName(spec.subnet),
    name: `${metadata.namespace}/${metadata.name}`,
    text: [spec.mac, ...spec.ips].join(' '),
    sharer: { namespace: metadata.namespace ?? '', owner: spec.owner, ipamOnly: spec.ipamOnly },
  };
}

function fromRow(snapshot: Snapshot, row: SwitchPort): Tenant {
  const subnet = row.switch.slice(formatSwitchName('').length);
  return { space: findSpace(snapshot, subnet), switch: row.switch, name: row.name, text: row.addresses.join(' ') };
}

/** IPs within a VPC, MACs within a switch. */
function listTwice(what: string, tenants: readonly Tenant[]): string[] {
  const seen = new Map<string, Tenant[]>();
  const wrong: string[] = [];
  for (const tenant of tenants) {
    for (const word of tenant.text.split(/\s+/).filter((one) => /[.:]/.test(one))) {
      const isMac = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(word);
      const place = isMac ? tenant.switch : tenant.space;
      const others = seen.get(`${place} ${word}`) ?? [];
      const other = others.find((one) => !isMac || !mayShare(one, tenant));
      if (other !== undefined) wrong.push(`${what} ${other.name} and ${tenant.name} both have ${word} in ${place}`);
      seen.set(`${place} ${word}`, [tenant, ...others]);
    }
  }
  return wrong;
}

const mayShare = ({ sharer: a }: Tenant, { sharer: b }: Tenant): boolean =>
  a !== undefined && b !== undefined && sharesMac(a, b);

const keyOf = ({ metadata }: LogicalPort): string => `${metadata.namespace}/${metadata.name}`;

/** True for a port that is to be in OVN: it has an address, a switch, and somebody to use it. */
function wantsRow({ spec, status }: LogicalPort): boolean {
  const isApart = status?.phase === 'Released';
  const yields = status?.conditions?.some(
    ({ type, reason, status: is }) =>
      is === 'False' && (reason === 'AddressConflict' || (type === 'Programmed' && reason === 'NotAttached')),
  );
  return spec.ips.length > 0 && spec.ipamOnly !== true && !isApart && yields !== true;
}

function auditRows({ cluster, ports, switchPorts }: Snapshot): string[] {
  const own = switchPorts.filter(
    (row) => row.cluster === cluster && parseOwner(row.owner ?? '')?.kind === 'LogicalPort',
  );
  const rows = new Map(own.map((row) => [row.name, row]));
  const wrong: string[] = [];
  for (const port of ports.filter(wantsRow)) {
    const name = formatPortLsp(port);
    wrong.push(...auditRow(port, rows.get(name)).map((problem) => `${name} of ${keyOf(port)} ${problem}`));
    rows.delete(name);
  }
  return [...wrong, ...[...rows.keys()].map((name) => `switch port ${name} belongs to nobody`)];
}

function auditRow({ spec }: LogicalPort, row: SwitchPort | undefined): string[] {
  if (row === undefined) return ['is not there'];
  const wrong: string[] = [];
  const addresses = [spec.mac, ...spec.ips].join(' ');
  if (row.addresses.join(' ') !== addresses) wrong.push(`has ${row.addresses.join(' ')} instead of ${addresses}`);
  if (row.switch !== formatSwitchName(spec.subnet)) wrong.push(`is on ${row.switch}`);
  const nodes = new Set(spec.attachments?.map(({ node }) => node));
  const chassis = (row.chassis ?? '').split(',').filter((name) => name !== NO_CHASSIS);
  for (const name of chassis) if (!nodes.has(name)) wrong.push(`asks for chassis "${name}", where nobody holds it`);
  return wrong;
}

/** Somebody must have a use for a port: its owner, a policy, a claim, or a restore that waits for its VM. */
function auditOwner({ owners, claims }: Snapshot, port: LogicalPort): string[] {
  const { spec, status, metadata } = port;
  const isClaimed = spec.ipamClaim !== undefined && claims.has(`${metadata.namespace}/${spec.ipamClaim}`);
  const isKept = status?.phase === 'Released' || isClaimed;
  const isRestored = status?.conditions?.some(({ reason }) => reason === 'Restored') === true;
  if (owners.has(spec.owner.uid) || isKept || isRestored) return [];
  return [`LogicalPort ${keyOf(port)} has no owner, and nothing says that it is kept`];
}

/** Of subnets that we have to ourselves: what other systems hold on our switches is counted as well. */
function auditCounts({ cluster, subnets, ports, switchPorts }: Snapshot): string[] {
  const shared = new Set(
    switchPorts.filter((row) => row.type === '' && row.cluster !== cluster).map((row) => row.switch),
  );
  const alone = subnets.filter(({ metadata }) => !shared.has(formatSwitchName(metadata.name)));
  return alone.flatMap(({ metadata, status }) => {
    const own = ports.filter(({ spec }) => spec.subnet === metadata.name).filter((port) => !isOutside(port));
    const ips = own.flatMap(({ spec }) => spec.ips);
    const told = { 4: status?.v4usingIPs, 6: status?.v6usingIPs };
    return ([4, 6] as const).flatMap((family) => {
      const having = ips.filter((ip) => ip.includes(':') === (family === 6)).length;
      const counted = told[family];
      if (counted === undefined || counted === having) return [];
      return [`subnet ${metadata.name} counts ${counted} of IPv${family}, its ports have ${having}`];
    });
  });
}

const isOutside = ({ status }: LogicalPort): boolean =>
  status?.conditions?.some(({ reason }) => reason === 'AddressOutsideSubnet') === true;
