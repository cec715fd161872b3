import { formatLauncherInterface } from '../../api/names.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { NicRequest, RequestPlan } from '../requests/types.ts';
import { PRIMARY_INTERFACE } from '../requests/types.ts';
import type { Carrier } from './logical-port.ts';

/** A launcher, with the networks that it was made with. */
export type LauncherNetworks = {
  readonly uid: string;
  readonly final: boolean;
  /** It is where the guest runs, or is about to start. */
  readonly home: boolean;
  /** NADs as `<namespace>/<name>`, by the pod's interface; undefined when the pod does not tell. */
  readonly nads: ReadonlyMap<string, string> | undefined;
};

/** One launcher that carries a NIC through a port, and the NAD by which it does. */
export type Carrying = Pick<LauncherNetworks, 'final' | 'home'> & { readonly podUID: string; readonly nad?: string };

/** Which port of a NIC each launcher carries. Two ports of one NIC are there while its network changes by migration. */
export type Carriage = {
  /** The port that serves what is asked for the NIC now; undefined when it is still to be made. */
  readonly findHome: (nic: string) => LogicalPort | undefined;
  /** Launchers of any phase that carry the NIC through this port, also as it was written since, or just made. */
  readonly carriersOf: (port: LogicalPort) => readonly Carrying[];
  /** True for a port that was not there when this was derived. */
  readonly isNew: (port: LogicalPort) => boolean;
  /** Those that will carry the port that is still to be made for the NIC. */
  readonly newcomersOf: (nic: string) => readonly Carrying[];
};

export type CarriageInput = {
  readonly ports: readonly LogicalPort[];
  readonly plan: RequestPlan;
  /** Trusted launchers only: what they say decides which port goes where. */
  readonly launchers: readonly LauncherNetworks[];
  /** How the guest's spec has the NIC carried, also one whose request cannot be understood. */
  readonly carrierOf: (nic: string) => Carrier | undefined;
  /** Ports of a life that is over: only where there is no other do they stand for a NIC. */
  readonly isOver?: (port: LogicalPort) => boolean;
};

/** What is known of one NIC while its launchers are told apart. */
type Nic = {
  readonly name: string;
  readonly ports: readonly LogicalPort[];
  readonly request: NicRequest | undefined;
  readonly asked: Carrier | undefined;
  readonly home: LogicalPort | undefined;
};

/**
 * Says for each launcher which of a NIC's ports it carries. A launcher that was given a port keeps it as long as it has
 * the interface at all: its annotation may be rewritten to a network that only the next launcher will have, and the
 * guest would lose the port it runs on. Another launcher carries the port of the NAD that its annotation names. One
 * that says nothing, as without Multus, carries what is asked for. Pure.
 */
export function deriveCarriage(input: CarriageInput): Carriage {
  // By name: whoever asks may hold a newer version of the object.
  const byPort = new Map<string, Carrying[]>(input.ports.map((port) => [nameOf(port), []]));
  const newcomers = new Map<string, Carrying[]>();
  const homes = new Map<string, LogicalPort>();
  const names = new Set([...input.ports, ...input.plan.requests.map((spec) => ({ spec }))].map(({ spec }) => spec.nic));
  for (const { nic } of input.plan.problems) names.add(nic);
  for (const name of names) {
    const nic = describeNic(name, input);
    if (nic.home !== undefined) homes.set(name, nic.home);
    for (const launcher of input.launchers) {
      const load = findLoad(nic, launcher);
      if (load === undefined) continue;
      const carrying = describe(launcher, load);
      if (load.port === 'new') newcomers.set(name, [...(newcomers.get(name) ?? []), carrying]);
      else byPort.get(nameOf(load.port))?.push(carrying);
    }
  }
  return {
    findHome: (nic) => homes.get(nic),
    carriersOf: (port) => byPort.get(nameOf(port)) ?? newcomers.get(port.spec.nic) ?? [],
    isNew: (port) => !byPort.has(nameOf(port)),
    newcomersOf: (nic) => newcomers.get(nic) ?? [],
  };
}

const nameOf = ({ metadata }: LogicalPort): string => metadata.name;

/** True when the guest has the NIC by this port, or is about to start with it. */
export const hasGuest = (carriage: Carriage, port: LogicalPort): boolean =>
  carriage.carriersOf(port).some(({ home, final }) => home && !final);

/** True when this port serves what is asked for its NIC; one that is not known yet was made for that. */
export function isHome(carriage: Carriage, port: LogicalPort): boolean {
  const home = carriage.findHome(port.spec.nic);
  return home === undefined ? carriage.isNew(port) : home.metadata.name === port.metadata.name;
}

function describe({ uid: podUID, final, home }: LauncherNetworks, { nad }: Load): Carrying {
  return { podUID, final, home, ...(nad === undefined ? {} : { nad }) };
}

/** True when a launcher that has not ended carries the NIC through this port. */
export const isCarried = (carriage: Carriage, port: LogicalPort): boolean =>
  carriage.carriersOf(port).some(({ final }) => !final);

function describeNic(name: string, input: CarriageInput): Nic {
  const all = input.ports.filter(({ spec }) => spec.nic === name);
  const lasting = all.filter((port) => input.isOver?.(port) !== true);
  const ports = (lasting.length > 0 ? lasting : all).toSorted(compareNames);
  const request = input.plan.requests.find(({ nic }) => nic === name);
  const living = input.launchers.filter(({ final }) => !final);
  const home = findHome(ports, request, living);
  return { name, ports: all, request, asked: request ?? input.carrierOf(name), home };
}

/** The NIC's first port before those that were made beside it. */
function compareNames({ spec: a }: LogicalPort, { spec: b }: LogicalPort): number {
  const [left, right] = [a.madeFor ?? '', b.madeFor ?? ''];
  return left < right ? -1 : Number(left > right);
}

/**
 * The port of the subnet that is asked for. Where there is none, a port that no launcher holds changes its address; one
 * that is held does not, and stands for the NIC as long as the network is the same: another network is another port.
 */
function findHome(
  ports: readonly LogicalPort[],
  request: NicRequest | undefined,
  living: readonly LauncherNetworks[],
): LogicalPort | undefined {
  const held = ports.filter((port) => listHolds(port, living).length > 0);
  if (request === undefined) return held[0] ?? ports[0];
  const fitting = ports.filter((port) => serves(port, request));
  const found = fitting.find((port) => held.includes(port)) ?? fitting[0];
  if (found !== undefined) return found;
  if (held.length > 0) return held.find((port) => !isElsewhere(port, request, living));
  // Somebody waits for the new network already.
  const isAwaited = living.some(
    ({ nads }) => request.nad !== undefined && nads?.get(request.interface) === request.nad,
  );
  return isAwaited ? ports.find((port) => !isOfOther(port, request)) : ports[0];
}

const listHolds = ({ spec }: LogicalPort, living: readonly LauncherNetworks[]) =>
  (spec.attachments ?? []).filter(({ podUID }) => living.some(({ uid }) => uid === podUID));

/** Every launcher that holds the port does so through another network than the one asked for. */
function isElsewhere(port: LogicalPort, { nad }: NicRequest, living: readonly LauncherNetworks[]): boolean {
  if (nad === undefined || port.spec.ips.length === 0) return false;
  return listHolds(port, living).every((hold) => hold.nad !== undefined && hold.nad !== nad);
}

const isOfOther = ({ spec }: LogicalPort, { nad }: NicRequest): boolean =>
  spec.ips.length > 0 && spec.nad !== undefined && spec.nad !== nad;

function serves({ spec }: LogicalPort, request: NicRequest): boolean {
  return spec.subnet === request.subnet && (spec.ipamOnly === true) === (request.ipamOnly === true);
}

/** What a launcher carries of a NIC: the port, or the one that is to be made. */
type Load = { readonly port: LogicalPort | 'new'; readonly nad: string | undefined };

function findLoad(nic: Nic, launcher: LauncherNetworks): Load | undefined {
  const held = findHeld(nic.ports, launcher);
  const name = held?.hold.interface ?? nic.asked?.interface ?? formatLauncherInterface(nic.name);
  const told = findTold(launcher, name);
  // The pod has no such interface; or the NIC is in no list any more, and the pod says nothing.
  if (told === null || (told === undefined && nic.asked === undefined)) return undefined;
  return held === undefined ? choose(nic, told) : { port: held.port, nad: held.hold.nad };
}

/** What a launcher that was given no port yet carries. */
function choose(nic: Nic, told: string | undefined): Load | undefined {
  const port = told === undefined ? findAsked(nic) : findNamed(nic, told);
  return port && { port, nad: told ?? nic.asked?.nad };
}

function findHeld(ports: readonly LogicalPort[], { uid, nads }: LauncherNetworks) {
  const holds = ports.flatMap((port) =>
    (port.spec.attachments ?? []).flatMap((hold) => (hold.podUID === uid ? [{ port, hold }] : [])),
  );
  return holds.find(({ hold }) => hold.nad !== undefined && nads?.get(hold.interface) === hold.nad) ?? holds[0];
}

/** The NAD of an interface; null when the pod has no such interface, undefined when it cannot be told. */
function findTold({ nads }: LauncherNetworks, name: string): string | null | undefined {
  if (nads === undefined || (name === PRIMARY_INTERFACE && !nads.has(name))) return undefined;
  return nads.get(name) ?? null;
}

/** What is asked for: the port that serves it, or the one that is to be made. */
function findAsked({ asked, request, home }: Nic): LogicalPort | 'new' | undefined {
  if (asked === undefined) return undefined;
  return home ?? (request?.absent === true ? undefined : 'new');
}

function findNamed(nic: Nic, nad: string): LogicalPort | 'new' | undefined {
  const known = nic.ports.find((port) => listNads(port).includes(nad));
  // Of a request that cannot be granted nobody knows whether its network is that of the present port.
  const isUnknown = nic.request === undefined && nic.ports.length > 0;
  return nic.asked?.nad === nad && !isUnknown ? findAsked(nic) : known;
}

const listNads = ({ spec }: LogicalPort): (string | undefined)[] => [
  spec.nad,
  ...(spec.attachments ?? []).map((hold) => hold.nad),
];
