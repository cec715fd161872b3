import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { Clock, Logger, Metrics, Outcome } from '../../../kube/index.ts';
import type { Appctl } from '../../../ovs/appctl.ts';
import type { NodeSettings } from '../../../ovs/settings.ts';
import { planRenewal, planWatch, type Renewal, type Streak, type TunnelEnd } from './plan.ts';

/** What the watch reads and asks. */
export type StraysOptions = {
  findSettings(): NodeSettings | undefined;
  /** The node's ovs-vswitchd. */
  readonly appctl: Appctl;
  /** The bridge that bears the tunnels' address. */
  readonly underlay: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
};

/**
 * Watches for packets of tunnels that reach the kernel of a node whose datapath is in user space, and has Open vSwitch look
 * at its flows again. Open vSwitch 3.5 takes its list of tunnel addresses apart and puts it together anew whenever a link or
 * a route of the node changes; a revalidator that looks meanwhile makes the flow of all tunnels one to the bridge's local
 * port, and nothing tells it that this was wrong (docs/decisions/0022).
 */
export type Strays = {
  /** Compares where tunnels end with where this listens; to be called when the node's settings may have changed. */
  turn(): Promise<Outcome>;
  stop(): Promise<void>;
};

const AGAIN_MS = 10_000;
/** Until the node's database is read. */
const SOON_MS = 1000;
/** A few packets tell as much as a flood. */
const BUFFER_BYTES = 4096;
/** revalidate: forgetting what the bridge has learned has each flow looked at again (ovs-vswitchd(8), fdb/flush). */
const COMMANDS: Readonly<Record<Renewal, (underlay: string) => readonly [string, ...string[]]>> = {
  revalidate: (underlay) => ['fdb/flush', underlay],
  purge: () => ['revalidator/purge'],
};

export function createStrays(options: StraysOptions): Strays {
  const { log } = options;
  let current: { readonly end: TunnelEnd; readonly socket: Socket } | undefined;
  const renewer = createRenewer(options);
  const leave = async () => {
    if (current === undefined) return;
    const { socket } = current;
    current = undefined;
    socket.close();
    await once(socket, 'close');
  };
  let said = '';
  const tell = (err: unknown, end: TunnelEnd) => {
    const message = `${end.address} ${err instanceof Error ? err.message : String(err)}`;
    if (message !== said) log.warn({ err, ...end }, 'packets of tunnels that reach the kernel cannot be watched for');
    said = message;
  };
  const enter = async (end: TunnelEnd) => {
    try {
      const socket = await listen(end);
      socket.on('message', () => renewer.take());
      socket.on('error', (err) => tell(err, end));
      current = { end, socket };
      said = '';
      log.info({ ...end }, 'packets of tunnels that reach the kernel are watched for');
    } catch (error) {
      tell(error, end);
    }
  };
  return {
    turn: async () => {
      const settings = options.findSettings();
      const again = { requeueAfterMs: settings === undefined ? SOON_MS : AGAIN_MS };
      const end = planWatch(settings);
      if (end?.address === current?.end.address && end?.port === current?.end.port) return again;
      await leave();
      if (end !== undefined) await enter(end);
      return again;
    },
    stop: async () => {
      await leave();
      await renewer.whenIdle();
    },
  };
}

async function listen({ address, port }: TunnelEnd): Promise<Socket> {
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', recvBufferSize: BUFFER_BYTES });
  socket.bind({ address, port });
  try {
    await once(socket, 'listening');
  } catch (error) {
    socket.close();
    throw error;
  }
  return socket;
}

type Renewer = { take(): void; whenIdle(): Promise<void> };

/** Turns strays into commands, one at a time. */
function createRenewer({ appctl, underlay, clock, log, metrics }: StraysOptions): Renewer {
  let streak: Streak | undefined;
  let running = Promise.resolve();
  let isBusy = false;
  const renew = async (renewal: Renewal) => {
    try {
      await appctl.run(...COMMANDS[renewal](underlay));
      metrics.count('datapath_renewals', { renewal });
      log.warn({ renewal }, 'packets of tunnels reached the kernel: Open vSwitch looks at its flows again');
    } catch (err) {
      log.warn(
        { err, renewal },
        'packets of tunnels reach the kernel, and Open vSwitch cannot be told; they are lost until it looks again',
      );
    } finally {
      isBusy = false;
    }
  };
  return {
    take: () => {
      if (isBusy) return;
      const planned = planRenewal(streak, clock.now());
      ({ streak } = planned);
      if (planned.renewal === undefined) return;
      isBusy = true;
      running = renew(planned.renewal);
    },
    whenIdle: () => running,
  };
}
