import { asFields, type Fields } from '../../api/fields.ts';

/** What the container of our sidecar is made of, from the chart. */
export type SidecarImage = { readonly image: string; readonly pullPolicy: string };

/** What an annotation is to say: `undefined` is that it goes. */
export type SidecarList = { readonly ok: true; readonly text: string | undefined } | { readonly ok: false };

const MAX_TEXT = 65_536;
/** By these words and no other key we know what we have written ourselves; a user's own entry is never touched. */
const WORDS = { command: ['/usr/local/bin/mooring-hook'], args: ['sidecar', '--configure-guest'] } as const;
const KEYS = ['image', 'imagePullPolicy', 'command', 'args'];
const NAME = 'mooring-hook';

/**
 * KubeVirt's list of hook sidecars (`HookSidecar` in pkg/hooks/hooks.go) with ours in it, or without: at the end, as of
 * several that fill in cloud-init's data only the first is asked, and a user's comes first. What we wrote before is brought
 * up to date; with an entry of the user's for our program nothing is added. Everything else stays as it is. Not `ok`: the
 * text is no list of objects.
 */
export function mergeSidecar(text: string | undefined, wanted: SidecarImage | undefined): SidecarList {
  const entries = parseEntries(text);
  if (entries === undefined) return { ok: false };
  const [own] = entries.filter(isWrittenByUs);
  const others = entries.filter((entry) => !isWrittenByUs(entry));
  const next = wanted === undefined || others.some(isOurProgram) ? undefined : formatEntry(wanted);
  const isSame = JSON.stringify(own && Object.fromEntries(own)) === JSON.stringify(next);
  if (isSame && entries.length === others.length + (next === undefined ? 0 : 1)) return { ok: true, text };
  const list = [...others.map((entry) => Object.fromEntries(entry)), ...(next === undefined ? [] : [next])];
  return { ok: true, text: list.length === 0 ? undefined : JSON.stringify(list) };
}

function parseEntries(text: string | undefined): readonly Fields[] | undefined {
  if (text === undefined || text === '') return [];
  const list: unknown = text.length > MAX_TEXT ? undefined : parseJson(text);
  if (!Array.isArray(list)) return undefined;
  const entries = list.flatMap((item: unknown) => asFields(item) ?? []);
  return entries.length === list.length ? entries : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isWrittenByUs(entry: Fields): boolean {
  const { command, args } = WORDS;
  const isSame = JSON.stringify([entry.get('command'), entry.get('args')]) === JSON.stringify([command, args]);
  return isSame && [...entry.keys()].every((key) => KEYS.includes(key));
}

/** By its name, wherever it is: the first word that is run, or the argument of a shell. */
const isOurProgram = (entry: Fields): boolean =>
  listWords(entry).some((word) => word === NAME || word.endsWith(`/${NAME}`) || word.startsWith(`${NAME} `));

const listWords = (entry: Fields): string[] =>
  ['command', 'args'].flatMap((key) => {
    const words = entry.get(key);
    return Array.isArray(words) ? words.filter((word): word is string => typeof word === 'string') : [];
  });

const formatEntry = ({ image, pullPolicy }: SidecarImage) => ({ image, imagePullPolicy: pullPolicy, ...WORDS });
