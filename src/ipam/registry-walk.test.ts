import { describe, expect, it } from 'vitest';
import { succeed } from '../api/problem.ts';
import type { AddressRequest } from './allocate.ts';
import { planPools } from './ip-pools.ts';
import type { Lease } from './pool.ts';
import { planRanges } from './ranges.ts';
import { createRegistry, type Registry } from './registry.ts';

/** Addresses are 10.0.0.<number>: the model is about small numbers. */
type Net = { name: string; space: string; first: number; size: number; excluded: number[] };
type IpPool = { name: string; subnet: string; members: number[]; namespaces: string[] };
type Held = { subnet: string; n: number; mac: string };
type Ask = { holder: string; subnet: string; fixed?: number; pool?: string };
type Random = (below: number) => number;

/** mulberry32: the same walk for the same seed, everywhere. */
function createRandom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const NO_LEASE: Lease = { ips: [], mac: '' };
const toIp = (n: number) => `10.0.0.${n}`;
const toLease = ({ n, mac }: Held): Lease => ({ ips: [toIp(n)], mac });
const fromLease = (subnet: string, { ips, mac }: Lease): Held => ({ subnet, n: Number(ips[0]?.slice(7)), mac });

/** The allocator as simple as can be: every question is answered by looking at everything. */
class Model {
  nets: Net[] = [];
  pools: IpPool[] = [];
  ports = new Map<string, Held>();
  reserved = new Map<string, Held>();
  changes = new Map<string, { from: Held; to: Held; settled: boolean }>();
  foreign = new Map<string, Held>();

  net(name: string): Net {
    const net = this.nets.find((other) => other.name === name);
    if (net === undefined) throw new Error('the walk only knows its own subnets');
    return net;
  }
  all(): [string, Held][] {
    const changing = [...this.changes].flatMap(([holder, { from, to }]): [string, Held][] => [
      [holder, from],
      [holder, to],
    ]);
    const foreign = [...this.foreign].map(([name, held]): [string, Held] => [`ovn:${name}`, held]);
    return [...this.ports, ...this.reserved, ...changing, ...foreign];
  }
  ownersOf(space: string, n: number): Set<string> {
    const holding = this.all().filter(([, held]) => held.n === n && this.net(held.subnet).space === space);
    return new Set(holding.map(([owner]) => owner));
  }
  isAvoided(space: string, n: number): boolean {
    return this.all().some(([, held]) => held.n === n && this.net(held.subnet).space !== space);
  }
  free({ first, size, excluded }: Net): number[] {
    const usable = Array.from({ length: size - 3 }, (_, index) => first + 2 + index);
    return usable.filter((n) => !excluded.includes(n));
  }
  poolOf(subnet: string, n: number): IpPool | undefined {
    return this.pools.find((pool) => pool.subnet === subnet && pool.members.includes(n));
  }
  /** The pools that a request may have addresses of, or why it may have none. */
  rights({ holder, subnet, pool }: Ask): { named?: IpPool; own: IpPool[] } | string {
    const namespace = holder.slice(0, holder.indexOf('/'));
    const own = this.pools.filter((other) => other.subnet === subnet && other.namespaces.includes(namespace));
    if (pool === undefined) return { own };
    const named = this.pools.find((other) => other.name === pool && other.subnet === subnet);
    if (named === undefined) return 'none';
    return named.namespaces.length === 0 || own.includes(named) ? { named, own } : 'PoolNotAllowed';
  }
  /** Either the numbers that are right, or the reason why there are none. */
  judge(ask: Ask): number[] | string {
    const rights = this.rights(ask);
    if (typeof rights === 'string') return rights;
    if (ask.fixed !== undefined) return this.judgeFixed(ask, ask.fixed, rights);
    const from = rights.named === undefined ? rights.own : [rights.named];
    const { space } = this.net(ask.subnet);
    const left = this.stock(ask.subnet, from).filter((n) => this.ownersOf(space, n).size === 0);
    if (left.length === 0) return from.length === 0 ? 'SubnetFull' : 'PoolFull';
    // Of several pools the older one is emptied first, also of what other VPCs have.
    const first = from.map((at) => left.filter((n) => at.members.includes(n))).find((part) => part.length > 0) ?? left;
    const good = first.filter((n) => !this.isAvoided(space, n));
    return good.length > 0 ? good : first;
  }
  stock(subnet: string, from: IpPool[]): number[] {
    return this.free(this.net(subnet)).filter((n) => {
      const at = this.poolOf(subnet, n);
      return from.length === 0 ? at === undefined : at !== undefined && from.includes(at);
    });
  }
  judgeFixed({ holder, subnet }: Ask, n: number, rights: { named?: IpPool; own: IpPool[] }): number[] | string {
    const net = this.net(subnet);
    if (n < net.first || n >= net.first + net.size) return 'AddressOutsideSubnet';
    const owners = this.ownersOf(net.space, n);
    if (owners.size === 1 && owners.has(holder))
      return this.isAllowed(subnet, n, rights.named) ? [n] : 'PoolNotAllowed';
    if (!this.free(net).includes(n)) return 'AddressReserved';
    if (!this.isOpen(subnet, n, rights)) return 'PoolNotAllowed';
    return owners.size > 0 ? 'AddressInUse' : [n];
  }
  isOpen(subnet: string, n: number, { named, own }: { named?: IpPool; own: IpPool[] }): boolean {
    const at = this.poolOf(subnet, n);
    return named === undefined ? at === undefined || own.includes(at) : at === named;
  }
  /** Whether the address is of the pool that was named, if one was. */
  isAllowed(subnet: string, n: number, pool: IpPool | undefined): boolean {
    return pool === undefined || this.poolOf(subnet, n) === pool;
  }
  count(net: Net, pool?: IpPool): string {
    const stock = this.free(net).filter((n) => pool === undefined || this.poolOf(net.name, n) === pool);
    const used = stock.filter((n) => this.ownersOf(net.space, n).size > 0).length;
    return `${used}/${stock.length - used}`;
  }
  rivals(holder: string, { subnet, n, mac }: Held): string[] {
    const { space } = this.net(subnet);
    const same = this.all().filter(
      ([, other]) =>
        (other.n === n && this.net(other.subnet).space === space) || (other.mac === mac && other.subnet === subnet),
    );
    return [...new Set(same.map(([owner]) => owner))].filter((owner) => owner !== holder).sort();
  }
}

const LAYOUTS: Net[][] = [
  [
    { name: 's', space: 'a', first: 0, size: 16, excluded: [] },
    { name: 't', space: 'a', first: 16, size: 16, excluded: [20] },
    { name: 'u', space: 'b', first: 0, size: 32, excluded: [] },
  ],
  [
    { name: 's', space: 'a', first: 0, size: 8, excluded: [] },
    { name: 't', space: 'a', first: 16, size: 16, excluded: [] },
    { name: 'u', space: 'b', first: 0, size: 16, excluded: [5, 6] },
  ],
  [
    { name: 's', space: 'a', first: 16, size: 16, excluded: [19] },
    { name: 't', space: 'a', first: 0, size: 16, excluded: [3, 4] },
    { name: 'u', space: 'a', first: 32, size: 16, excluded: [] },
  ],
  [
    { name: 's', space: 'a', first: 0, size: 32, excluded: [10] },
    { name: 't', space: 'b', first: 0, size: 16, excluded: [] },
    { name: 'u', space: 'b', first: 16, size: 8, excluded: [] },
  ],
];
const POOLS: IpPool[][] = [
  [],
  [{ name: 'p', subnet: 's', members: [4, 5, 6], namespaces: [] }],
  [
    { name: 'p', subnet: 's', members: [5, 6, 7], namespaces: ['own'] },
    { name: 'q', subnet: 'u', members: [9, 10, 11, 12], namespaces: ['own'] },
    { name: 'r', subnet: 'u', members: [2, 3, 8], namespaces: ['own', 'n'] },
  ],
];

function tellNetworks(registry: Registry, model: Model): void {
  const networks = model.nets.map(({ name, space, first, size, excluded }) => {
    const planned = planRanges({ cidrBlock: `${toIp(first)}/${32 - Math.log2(size)}`, excludeIps: excluded.map(toIp) });
    if (!planned.ok) throw new Error(planned.problem.message);
    return { name, space, ranges: planned.value, routerMac: '0a:ff:ff:ff:ff:ff' };
  });
  const objects = model.pools.map(({ name, subnet, members, namespaces }) => ({
    metadata: { name },
    spec: { subnet, ips: members.map(toIp), namespaces },
  }));
  const subnets = new Map(networks.map(({ name, ranges }) => [name, { usable: true, ranges }]));
  registry.setNetworks(networks, planPools(objects, subnets));
}

class Walk {
  readonly model = new Model();
  readonly random: Random;
  registry: Registry;
  macs = 0;

  constructor(seed: number) {
    this.random = createRandom(seed);
    this.registry = this.build();
    this.relayout();
  }
  pick<T>(items: readonly T[]): T {
    const item = items[this.random(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
  /** A registry that knows what is in the API, and no more: as after a restart. */
  build(): Registry {
    const registry = createRegistry((length) => Uint8Array.from({ length }, () => this.random(4)));
    tellNetworks(registry, this.model);
    for (const [holder, held] of this.model.ports) registry.setPort(holder, held.subnet, toLease(held));
    this.tellForeign(registry);
    return registry;
  }
  tellForeign(registry = this.registry): void {
    registry.holdForeign(
      [...this.model.foreign].map(([name, held]) => ({ subnet: held.subnet, name, lease: toLease(held) })),
    );
  }
  relayout(): void {
    const layout = this.pick(LAYOUTS);
    // Pools that do not fit the layout would be unusable: that is another test's matter.
    const fits = ({ subnet, members }: IpPool) =>
      layout.some(({ name, first, size }) => name === subnet && members.every((n) => n >= first && n < first + size));
    this.model.nets = layout;
    this.model.pools = this.pick(POOLS).filter(fits);
    tellNetworks(this.registry, this.model);
  }
  makeAsk(): Ask {
    const holder = `${this.pick(['n', 'n', 'own'])}/h${this.random(8)}`;
    const ask: Ask = { holder, subnet: this.pick(['s', 't', 'u']) };
    if (this.random(3) === 0) ask.fixed = this.random(34);
    if (this.random(4) === 0) ask.pool = this.pick(['p', 'q', 'r']);
    return ask;
  }
  request({ holder, subnet, fixed, pool }: Ask): AddressRequest {
    return { holder, subnet, ips: fixed === undefined ? undefined : [toIp(fixed)], pool };
  }
  compare(ask: Ask, result: ReturnType<Registry['reserveChange']>): Held | undefined {
    const expected = this.model.judge(ask);
    if (!result.ok) {
      const reasons = expected === 'none' ? ['PoolNotFound', 'PoolNotAllowed'] : [expected];
      expect(reasons).toContain(result.problem.reason);
      return undefined;
    }
    const held = fromLease(ask.subnet, result.value);
    expect(expected).toContain(held.n);
    return held;
  }

  /** A reservation, by somebody who has nothing, or has it already. */
  reserve(): void {
    const ask = this.makeAsk();
    const { ports, reserved, changes } = this.model;
    const known = ports.get(ask.holder) ?? reserved.get(ask.holder);
    if (changes.has(ask.holder) || (known !== undefined && known.subnet !== ask.subnet)) return;
    const result = this.registry.reserve([this.request(ask)]);
    const [lease] = result.ok ? result.value : [];
    if (known !== undefined) {
      expect(lease).toMatchObject(toLease(known));
      return;
    }
    const held = this.compare(ask, result.ok ? succeed(result.value[0] ?? NO_LEASE) : result);
    if (held === undefined) return;
    this.expectNewMac(held, ask.holder);
    reserved.set(ask.holder, held);
  }
  expectNewMac({ subnet, mac }: Held, holder: string): void {
    const same = this.model
      .all()
      .filter(([owner, other]) => other.subnet === subnet && other.mac === mac && owner !== holder);
    expect(same).toEqual([]);
  }
  /** The LogicalPort of a reservation comes, or is refused. */
  confirm(): void {
    const [holder, held] = this.pickFrom(this.model.reserved);
    if (held === undefined) return;
    this.model.reserved.delete(holder);
    if (this.random(4) === 0) {
      this.registry.giveBack(held.subnet, holder);
      return;
    }
    this.model.ports.set(holder, held);
    this.registry.setPort(holder, held.subnet, toLease(held));
  }
  remove(): void {
    const [holder] = this.pickFrom(this.model.ports);
    this.model.ports.delete(holder);
    this.model.changes.delete(holder);
    this.registry.removePort(holder);
  }
  pickFrom<T>(map: ReadonlyMap<string, T>): [string, T | undefined] {
    return map.size === 0 ? ['nobody', undefined] : this.pick([...map]);
  }
  /** Somebody else wrote a LogicalPort, whatever others have. */
  intrude(): void {
    const holder = `x/h${this.random(3)}`;
    const net = this.pick(this.model.nets);
    this.macs += 1;
    const mac = `02:00:00:00:${[this.macs >> 8, this.macs & 255].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
    const held = { subnet: net.name, n: net.first + this.random(net.size), mac };
    this.model.ports.set(holder, held);
    this.model.changes.delete(holder);
    this.registry.dropChange(holder);
    this.registry.setPort(holder, held.subnet, toLease(held));
  }
  change(): void {
    const [holder, from] = this.pickFrom(this.model.ports);
    if (from === undefined) return;
    const ask = { ...this.makeAsk(), holder };
    this.registry.dropChange(holder);
    this.model.changes.delete(holder);
    const mayStay = this.mayStay(ask, from);
    const result = this.registry.reserveChange(this.request(ask));
    if (ask.fixed === undefined) {
      // What is chosen may also be what it has: the rest of that is other tests' matter.
      if (mayStay) expect(result).toMatchObject({ value: { ips: [toIp(from.n)] } });
      this.registry.dropChange(holder);
      return;
    }
    const to = this.compare(ask, result);
    if (to === undefined) return;
    this.expectNewMac(to, holder);
    const isSame = to.n === from.n && to.mac === from.mac && to.subnet === from.subnet;
    if (!isSame) this.model.changes.set(holder, { from, to, settled: false });
  }
  /** True when a request that names nothing leaves the port what it has. */
  mayStay({ subnet, fixed, pool }: Ask, { n, subnet: before }: Held): boolean {
    const net = this.model.net(subnet);
    const isInside = subnet === before && n >= net.first && n < net.first + net.size;
    return isInside && fixed === undefined && pool === undefined && this.model.ownersOf(net.space, n).size === 1;
  }
  /** The new LogicalPort, the end of the change, or its end without it, in any order. */
  proceed(): void {
    const [holder, change] = this.pickFrom(this.model.changes);
    if (change === undefined) return;
    const step = this.random(4);
    if (step === 0) {
      this.model.changes.delete(holder);
      this.registry.dropChange(holder);
    } else if (step < 3) {
      this.model.ports.set(holder, change.to);
      this.registry.setPort(holder, change.to.subnet, toLease(change.to));
    } else {
      change.settled = true;
      this.registry.settleChange(holder);
    }
    if (change.settled && this.model.ports.get(holder) === change.to) this.model.changes.delete(holder);
  }
  others(): void {
    this.model.foreign = new Map();
    for (let left = this.random(3); left > 0; left -= 1) {
      const net = this.pick(this.model.nets);
      this.model.foreign.set(`f${left}`, {
        subnet: net.name,
        n: net.first + this.random(net.size),
        mac: `02:ff:00:00:00:0${left}`,
      });
    }
    this.tellForeign();
  }
  /** A new leader: what is not in the API is forgotten, and what is left is the same as if it was followed all along. */
  restart(): void {
    this.model.reserved.clear();
    this.model.changes.clear();
    this.registry.forgetReservations();
    this.check();
    const rebuilt = this.build();
    if (this.random(2) === 0) this.registry = rebuilt;
  }
  step(): void {
    const steps: [number, () => void][] = [
      [30, () => this.reserve()],
      [25, () => this.confirm()],
      [15, () => this.remove()],
      [3, () => this.intrude()],
      [10, () => this.change()],
      [12, () => this.proceed()],
      [3, () => this.others()],
      [3, () => this.relayout()],
      [1, () => this.restart()],
    ];
    let at = this.random(steps.reduce((sum, [weight]) => sum + weight, 0));
    const step = steps.find(([weight]) => {
      at -= weight;
      return at < 0;
    });
    step?.[1]();
  }
  check(): void {
    const { model, registry } = this;
    const show = (counts: ReturnType<Registry['counts']>) =>
      counts.map(({ used, available }) => `${used}/${available}`).join();
    for (const net of model.nets) {
      expect(`${net.name} ${show(registry.counts(net.name))}`).toBe(`${net.name} ${model.count(net)}`);
      const isInUse = model.all().some(([owner, { subnet }]) => subnet === net.name && !owner.startsWith('ovn:'));
      expect(registry.isInUse(net.name)).toBe(isInUse);
    }
    for (const pool of model.pools) {
      expect(show(registry.poolCounts(pool.name))).toBe(model.count(model.net(pool.subnet), pool));
    }
    for (const [holder, held] of model.ports) {
      expect(registry.listRivals(holder, held.subnet, toLease(held))).toEqual(model.rivals(holder, held));
    }
  }
}

describe('the allocator against a naive model', () => {
  it.each(Array.from({ length: 10 }, (_, index) => [index + 1]))('walk %i: 2,000 steps, checked after each', (seed) => {
    const walk = new Walk(seed);
    for (let step = 0; step < 2000; step += 1) {
      walk.step();
      walk.check();
    }
  });
});
