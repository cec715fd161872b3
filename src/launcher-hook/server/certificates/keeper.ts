import {
  type Clock,
  deriveBackoff,
  isConflict,
  type KubeObject,
  type Logger,
  type Random,
  type Reflector,
  type Resource,
  type Timer,
} from '../../../kube/index.ts';
import { type CertificatePolicy, planCertificates, type Step } from './plan.ts';
import {
  type Configuration,
  describeAuthority,
  formatSecret,
  formatTrust,
  parseBundle,
  parseSecret,
  type Secret,
  type Vault,
} from './secret.ts';
import { createAuthority, createServing, type KeyPair } from './x509.ts';

export type Kept<T extends KubeObject> = {
  readonly name: string;
  readonly watch: Pick<Reflector<T>, 'store' | 'onChange' | 'start' | 'stop'>;
  readonly resource: Resource<T>;
};

export type KeeperOptions = {
  readonly secret: Kept<Secret>;
  readonly configurations: readonly Kept<Configuration>[];
  readonly policy: CertificatePolicy;
  readonly clock: Clock;
  readonly random: Random;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly log: Logger;
  /** Called with each serving certificate there is to show. */
  readonly onServing: (pair: KeyPair) => void;
};

/** Keeps our certificates, together with any number of others that do the same. */
export type Keeper = {
  start(): void;
  /** Resolves when no write is under way any more. */
  stop(): Promise<void>;
  /** Why no API server would trust us; undefined when there is a certificate to show, and its time is not over. */
  findObstacle(): string | undefined;
};

const FIELD_MANAGER = 'mooring-hook';
const RETRY = { baseMs: 500, maxMs: 30_000 };
/** Timers take no more than 31 bits of milliseconds. */
const LONGEST_MS = 86_400_000;

type State = {
  running: Promise<void> | undefined;
  isAsked: boolean;
  stopped: boolean;
  failures: number;
  timer: Timer | undefined;
  /** The certificate, and until when it holds. */
  shown: string;
  shownUntil: number;
};

/**
 * Shows what the Secret holds and carries the rotation on, after each change and whenever it is time. Everybody writes
 * from what they saw: whoever is late gets a conflict, and looks again when the other's change has come.
 */
export function createKeeper(options: KeeperOptions): Keeper {
  const state: State = {
    running: undefined,
    isAsked: false,
    stopped: false,
    failures: 0,
    timer: undefined,
    shown: '',
    shownUntil: 0,
  };
  const ask = () => {
    state.isAsked = true;
    if (state.stopped || state.running !== undefined) return;
    state.running = runAsked().finally(() => {
      state.running = undefined;
      if (state.isAsked) ask();
    });
  };
  const schedule = (delayMs: number) => {
    state.timer?.cancel();
    if (!state.stopped) state.timer = options.clock.schedule(Math.min(delayMs, LONGEST_MS), ask);
  };
  const runAsked = async () => {
    state.isAsked = false;
    try {
      const delayMs = await runRound(options, state);
      state.failures = 0;
      if (delayMs !== undefined) schedule(delayMs);
    } catch (error) {
      state.failures += 1;
      const delayMs = deriveBackoff(state.failures, RETRY, options.random);
      options.log.warn({ err: error, delayMs }, 'a step of the certificates failed');
      schedule(delayMs);
    }
  };
  const ends: (() => void)[] = [];
  return {
    start: () => {
      for (const { watch } of [options.secret, ...options.configurations]) ends.push(watch.onChange(ask));
    },
    stop: async () => {
      state.stopped = true;
      state.timer?.cancel();
      for (const end of ends) end();
      await state.running;
    },
    findObstacle: () => {
      if (state.shown === '') return `no certificate in the Secret ${options.secret.name} yet`;
      const isOver = state.shownUntil <= options.clock.date().getTime();
      return isOver ? `the certificate of the Secret ${options.secret.name} has expired; the log says why` : undefined;
    },
  };
}

/** One look and what follows from it; returns after how many milliseconds to look again. */
async function runRound(options: KeeperOptions, state: State): Promise<number | undefined> {
  const { secret, configurations, clock, policy } = options;
  const [found] = secret.watch.store.list();
  // Whoever installs us makes it: only this one Secret is ours to write.
  if (found === undefined) return undefined;
  const vault = parseSecret(found);
  show(options, state, vault);
  const known = configurations.flatMap((kept) => kept.watch.store.list().map((object) => ({ kept, object })));
  const bundles = known.map(({ object }) => parseBundle(object));
  const now = clock.date().getTime();
  const { steps, nextAt } = planCertificates({ ...vault, bundles }, policy, now);
  for (const step of steps) {
    if (step.do !== 'trust') {
      await writeStep(options, { found, vault, step, now });
      continue;
    }
    const told = known.filter(({ object }) => step.configurations.includes(object.kind ?? ''));
    // Its Secret may not be written yet; the next round, after that change, tells the rest.
    for (const { kept, object } of told) {
      await kept.resource.apply(formatTrust(object, vault.authorities), { fieldManager: FIELD_MANAGER, force: true });
      options.log.info({ configuration: object.kind }, 'told whom to trust');
    }
  }
  return nextAt === undefined ? undefined : nextAt - now;
}

function show(options: KeeperOptions, state: State, { serving }: Vault): void {
  if (serving === undefined || serving.cert === state.shown) return;
  try {
    options.onServing({ cert: serving.cert, key: serving.key });
    state.shown = serving.cert;
    state.shownUntil = serving.notAfter;
    options.log.info({ until: new Date(serving.notAfter).toISOString() }, 'shows a serving certificate');
  } catch (error) {
    options.log.error({ err: error }, 'the serving certificate of the Secret cannot be used');
  }
}

type Write = { readonly found: Secret; readonly vault: Vault; readonly step: Step; readonly now: number };

async function writeStep(options: KeeperOptions, { found, vault, step, now }: Write): Promise<void> {
  try {
    await options.secret.resource.update(formatSecret(found, applyStep(options, { vault, step, now })));
    options.log.info({ step: step.do }, 'certificates changed');
  } catch (error) {
    if (!isConflict(error)) throw error;
    options.log.debug({ step: step.do }, 'another replica was first');
  }
}

function applyStep(options: KeeperOptions, { vault, step, now }: Omit<Write, 'found'>): Vault {
  const { authorities } = vault;
  if (step.do === 'makeAuthority') return { ...vault, authorities: [...authorities, makeAuthority(options, now)] };
  if (step.do === 'issue') return { ...vault, serving: makeServing(options, { vault, step, now }) };
  if (step.do === 'noteTrusted') {
    const note = (one: Vault['authorities'][number]) =>
      one.fingerprint === step.authority ? { ...one, trustedAt: now } : one;
    return { ...vault, authorities: authorities.map(note) };
  }
  if (step.do === 'drop')
    return { ...vault, authorities: authorities.filter(({ fingerprint }) => fingerprint !== step.authority) };
  return vault;
}

function makeAuthority({ policy, randomBytes }: KeeperOptions, now: number): Vault['authorities'][number] {
  const serial = randomBytes(16);
  return describeAuthority(
    createAuthority({
      // Clients find the right one by its key; the name only tells people which one they look at.
      commonName: `mooring-hook ${new Date(now).toISOString()}`,
      notBefore: new Date(now - policy.backdateMs),
      notAfter: new Date(now + policy.authorityMs),
      serial,
    }),
  );
}

type Issue = { readonly vault: Vault; readonly step: Step & { do: 'issue' }; readonly now: number };

function makeServing({ policy, randomBytes }: KeeperOptions, { vault, step, now }: Issue): Vault['serving'] {
  const authority = vault.authorities.find(({ fingerprint }) => fingerprint === step.authority);
  if (authority === undefined) return vault.serving;
  const notBefore = now - policy.backdateMs;
  const notAfter = Math.min(now + policy.servingMs, authority.notAfter);
  const [commonName = 'mooring-hook'] = policy.names;
  const wish = { commonName, notBefore: new Date(notBefore), notAfter: new Date(notAfter), serial: randomBytes(16) };
  const pair = createServing(wish, policy.names, authority);
  return { ...pair, issuer: authority.fingerprint, names: policy.names, notBefore, notAfter };
}
