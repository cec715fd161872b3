import { formatLauncherInterface, formatLogicalPortName } from '../../../api/names.ts';
import type { LogicalPort } from '../../../api/types.gen.ts';
import type { NicRequest, RequestPlan } from '../../requests/types.ts';
import { type Carriage, deriveCarriage, type LauncherNetworks } from '../carriage.ts';
import type { Lives } from '../ownership.ts';
import { type PortsPlan, planPorts } from '../ports.ts';

/** One launcher as a whole state has it: `red@home`, `blue@target`, `red@left`, `red@ended`; `-` for no such interface. */
export type Launcher = {
  readonly uid: string;
  readonly nad: string;
  readonly at: 'home' | 'target' | 'left' | 'ended';
};

/** All that is true of a machine with one NIC at one moment. */
export type Whole = {
  /** The network that is asked for; undefined when the NIC is gone. */
  readonly asked: string | undefined;
  readonly launchers: readonly Launcher[];
};

const INTERFACE = formatLauncherInterface('side');
const OWNER = { kind: 'VirtualMachine' as const, name: 'x', uid: 'v1' };

export const makeRequest = (network: string): NicRequest => ({
  nic: 'side',
  interface: INTERFACE,
  subnet: network,
  nad: `a/${network}`,
  absent: false,
});

const makeLauncher = ({ uid, nad, at }: Launcher): LauncherNetworks => ({
  uid,
  final: at === 'ended',
  home: at === 'home',
  nads: new Map(nad === '-' ? [] : [[INTERFACE, `a/${nad}`]]),
});

const planOf = ({ asked }: Whole): RequestPlan => ({
  requests: asked === undefined ? [] : [makeRequest(asked)],
  problems: [],
});

function makeLives({ launchers }: Whole): Lives {
  const records = launchers.map(({ uid, at }) => ({
    uid,
    name: uid,
    vmiUid: 'i1',
    node: uid,
    deleting: false,
    final: at === 'ended',
  }));
  return { vm: { uid: 'v1', deleting: false }, launchers: records, kubevirtKnown: true };
}

/** Which launcher carries which port in this state. */
export function carriageOf(ports: readonly LogicalPort[], whole: Whole): Carriage {
  return deriveCarriage({
    ports,
    plan: planOf(whole),
    launchers: whole.launchers.map(makeLauncher),
    carrierOf: () => (whole.asked === undefined ? undefined : { interface: INTERFACE, nad: `a/${whole.asked}` }),
  });
}

/** What a turn decides in this state. */
export function planTurn(
  ports: readonly LogicalPort[],
  whole: Whole,
  claimExists = (_name: string) => false,
): PortsPlan {
  const stopped = whole.launchers.every(({ at }) => at === 'ended');
  const carriage = carriageOf(ports, whole);
  return planPorts({ name: 'x', lives: makeLives(whole), ports, plan: planOf(whole), stopped, carriage, claimExists });
}

/** What of a turn reaches the API: all, or only the new ports, as when the process dies after having made them. */
export type Cut = 'whole' | 'created';

/** The ports after a turn. */
export function applyTurn(ports: readonly LogicalPort[], whole: Whole, cut: Cut = 'whole'): LogicalPort[] {
  const plan = planTurn(ports, whole);
  const carriage = carriageOf(ports, whole);
  const holders = new Set(whole.launchers.flatMap(({ uid, at }) => (at === 'home' || at === 'target' ? uid : [])));
  const attach = (port: LogicalPort, nad: string | undefined): LogicalPort => ({
    ...port,
    spec: {
      ...port.spec,
      ...(nad === undefined ? {} : { nad }),
      attachments: carriage.carriersOf(port).flatMap((carrying) =>
        holders.has(carrying.podUID)
          ? [
              {
                podName: carrying.podUID,
                podUID: carrying.podUID,
                node: carrying.podUID,
                interface: INTERFACE,
                ...(carrying.nad === undefined ? {} : { nad: carrying.nad }),
                role: 'Source' as const,
              },
            ]
          : [],
      ),
    },
  });
  const made = plan.create.map(({ request, madeFor }) => makePort(request.subnet, madeFor));
  if (cut === 'created') return [...ports, ...made];
  const kept = plan.keep.map(({ port, request }) => {
    // A port that nobody holds takes the address that is asked for.
    const isHeld = carriage.carriersOf(port).some(({ podUID }) => holders.has(podUID));
    const subnet = isHeld ? port.spec.subnet : (request?.subnet ?? port.spec.subnet);
    return attach({ ...port, spec: { ...port.spec, subnet } }, request?.nad);
  });
  return [...kept, ...made.map((port) => attach(port, port.spec.nad))];
}

export function makePort(network: string, madeFor?: string): LogicalPort {
  const key = { ownerKind: OWNER.kind, namespace: 'a', owner: 'x', nic: 'side' };
  return {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'LogicalPort',
    metadata: { name: formatLogicalPortName(madeFor === undefined ? key : { ...key, madeFor }), namespace: 'a' },
    spec: {
      owner: OWNER,
      nic: 'side',
      ...(madeFor === undefined ? {} : { madeFor }),
      subnet: network,
      nad: `a/${network}`,
      ips: ['10.0.0.2'],
      mac: '0a:00:00:00:00:01',
    },
  };
}

/** Ports in words: `side=red[l1:red]`, second ones with what they were made for. */
export const showPorts = (ports: readonly LogicalPort[]): string =>
  ports
    .map(({ spec }) => {
      const holds = (spec.attachments ?? []).map(({ podUID, nad }) => `${podUID}:${nad?.slice(2)}`);
      return `${['side', ...(spec.madeFor === undefined ? [] : [spec.madeFor])].join('/')}=${spec.subnet}[${holds.join()}]`;
    })
    .toSorted()
    .join(' ');

/** Reads `red: l1=red@home t1=blue@target`; the network asked for, or `-` for a NIC that is gone. */
export function parseWhole(text: string): Whole {
  const [asked = '-', rest = ''] = text.split(':').map((part) => part.trim());
  const launchers = rest.split(' ').flatMap((word) => {
    const match = /^(\w+)=(-|\w+)@(home|target|left|ended)$/.exec(word);
    return match === null ? [] : [{ uid: match[1] ?? '', nad: match[2] ?? '', at: match[3] as Launcher['at'] }];
  });
  return { asked: asked === '-' ? undefined : asked, launchers };
}
