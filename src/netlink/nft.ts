import koffi from 'koffi';
import { fromCode, type NetlinkError } from './errors.ts';

/** A run of commands by libnftables, in the namespace of the calling thread. */
type Library = {
  create: (flags: number) => unknown;
  free: (context: unknown) => void;
  bufferOutput: (context: unknown) => number;
  bufferError: (context: unknown) => number;
  output: (context: unknown) => string | null;
  error: (context: unknown) => string | null;
  setFlags: (context: unknown, flags: number) => void;
  run: (context: unknown, commands: string) => number;
};

const OUTPUT_JSON = 1 << 4;
let library: Library | undefined;

/** Loaded at the first use: the operator and the CLI import this folder's types on machines without libnftables. */
function load(): Library {
  if (library !== undefined) return library;
  const lib = koffi.load('libnftables.so.1');
  library = {
    create: lib.func('void *nft_ctx_new(uint32_t flags)'),
    free: lib.func('void nft_ctx_free(void *context)'),
    bufferOutput: lib.func('int nft_ctx_buffer_output(void *context)'),
    bufferError: lib.func('int nft_ctx_buffer_error(void *context)'),
    output: lib.func('const char *nft_ctx_get_output_buffer(void *context)'),
    error: lib.func('const char *nft_ctx_get_error_buffer(void *context)'),
    setFlags: lib.func('void nft_ctx_output_set_flags(void *context, uint flags)'),
    run: lib.func('int nft_run_cmd_from_buffer(void *context, const char *commands)'),
  };
  return library;
}

/**
 * Runs commands in nft's own language (nft(8)) as one transaction and returns what they print. Throws NetlinkError with
 * the library's message; `ENOENT` (class not-found) when a named table, chain or set is not there.
 */
export function runNft(commands: string, options: { json?: boolean } = {}): string {
  const nft = load();
  const context = nft.create(0);
  if (context === null) throw fromCode('ENOMEM', 'nft_ctx_new');
  try {
    if (nft.bufferOutput(context) !== 0 || nft.bufferError(context) !== 0) throw fromCode('ENOMEM', 'nft buffers');
    if (options.json === true) nft.setFlags(context, OUTPUT_JSON);
    if (nft.run(context, commands) !== 0) throw planNftError(nft.error(context) ?? '');
    return nft.output(context) ?? '';
  } finally {
    nft.free(context);
  }
}

const CAUSES: readonly [RegExp, string][] = [
  [/No such file or directory/, 'ENOENT'],
  [/File exists/, 'EEXIST'],
  [/Operation not permitted/, 'EPERM'],
  [/Device or resource busy/, 'EBUSY'],
  [/Operation not supported/, 'EOPNOTSUPP'],
];

/** The typed error behind the library's text. Pure. */
export function planNftError(message: string): NetlinkError {
  const code = CAUSES.find(([pattern]) => pattern.test(message))?.[1] ?? 'EINVAL';
  return fromCode(code, `nft: ${message.trim().split('\n')[0] ?? ''}`);
}

/** Quotes a name for nft's language. Throws EINVAL for what the language cannot hold. */
export function quoteNft(value: string): string {
  if (!/^[A-Za-z0-9_.@+=-]+$/.test(value)) throw fromCode('EINVAL', `not a name for nft: ${JSON.stringify(value)}`);
  return `"${value}"`;
}
