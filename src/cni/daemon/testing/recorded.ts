import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '../../../../test/fixtures/cni-calls');

type Config = { readonly [key: string]: unknown };

/** One call of a plugin of the recording that stands where we are: `lab-cni` makes interfaces, `lab-ipam` gives addresses. */
export type RecordedCall = {
  readonly seq: number;
  readonly ipam: boolean;
  readonly command: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly env: Readonly<Record<string, string>>;
  /** The configuration with our names in the place of the recording's. */
  readonly config: Config;
  readonly result: Config | null;
  readonly exit: number | null;
};

type Raw = {
  seq: number;
  t: string;
  binary: string;
  env?: Record<string, string>;
  stdin?: Config;
  sameCallAs?: number;
  result?: Config | null;
  exit: number | null;
  ms: number;
};

/** Names of all recordings, without `.json`. */
export function listRecordings(): string[] {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  return names.map((name) => name.slice(0, -'.json'.length)).sort();
}

/** The calls of one recording that would have been ours, in the order of their start. */
export function readRecording(name: string): RecordedCall[] {
  const { calls } = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as { calls: Raw[] };
  return calls
    .filter(({ binary }) => binary === 'lab-cni' || binary === 'lab-ipam')
    .map((call) => describe(call, calls.find(({ seq }) => seq === call.sameCallAs) ?? call));
}

function describe({ seq, t, binary, result, exit, ms }: Raw, { env = {}, stdin = {} }: Raw): RecordedCall {
  const startedAt = Date.parse(t);
  const base = { seq, ipam: binary === 'lab-ipam', startedAt, endedAt: startedAt + ms, env, exit };
  return { ...base, command: env.CNI_COMMAND ?? '', config: translate(stdin), result: result ?? null };
}

/** The recorded plugins had other names, and providers that ended in `.lab`. */
function translate(config: Config): Config {
  const { type, provider, ipam, ...rest } = config;
  const inner = ipam as Config | undefined;
  return {
    ...rest,
    type: type === 'lab-cni' ? 'mooring' : type,
    ...(typeof provider === 'string' ? { provider: provider.replace(/\.lab$/, '.ovn') } : {}),
    ...(inner === undefined ? {} : { ipam: inner.type === 'lab-ipam' ? { ...inner, type: 'mooring' } : inner }),
  };
}
