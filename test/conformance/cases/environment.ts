import { requireError } from '../expect.ts';
import { type Case, type Level, listVersionsOf, VERSIONS, type Verb } from '../model.ts';
import { type CallCase, findState, fromCalls } from './calls.ts';

/** Code 4: invalid necessary environment variables; the message must contain their names. */
const CODE = 4;
const SOURCE = '§5 Error, code 4';

/** What each verb needs (section 2, "Required environment parameters"). */
const NEEDED: readonly (readonly [Verb, string, Level])[] = [
  ['ADD', 'CNI_CONTAINERID', 'MUST'],
  ['ADD', 'CNI_NETNS', 'MUST'],
  ['ADD', 'CNI_IFNAME', 'MUST'],
  ['DEL', 'CNI_CONTAINERID', 'MUST'],
  ['DEL', 'CNI_IFNAME', 'MUST'],
  ['CHECK', 'CNI_CONTAINERID', 'MUST'],
  ['CHECK', 'CNI_NETNS', 'MUST'],
  ['CHECK', 'CNI_IFNAME', 'MUST'],
  // Needed for asking delegated plugins only.
  ['GC', 'CNI_PATH', 'SHOULD'],
];

const missing = NEEDED.map(([verb, name, level]): CallCase => {
  const what = `${verb} without ${name}`;
  return {
    ...{ id: `environment/${verb.toLowerCase()}-without-${name}`, title: `${what}: code 4 that names it` },
    ...{ source: SOURCE, level, versions: listVersionsOf(verb), verb, state: findState(verb) },
    // A GC that is whole but for the variable.
    change: { env: { [name]: undefined }, config: verb === 'GC' ? { 'cni.dev/valid-attachments': [] } : {} },
    expect: (outcome) => requireError(outcome, what, { codes: [CODE], names: name }),
  };
});

/** What no container id and no interface name may look like (section 2, "Parameters"). */
const MALFORMED: readonly (readonly [string, string, string])[] = [
  ['CNI_CONTAINERID', '-begins-with-hyphen', 'beginning with a hyphen'],
  ['CNI_CONTAINERID', 'a/../b', 'with a slash'],
  ['CNI_IFNAME', '..', 'of two dots'],
  ['CNI_IFNAME', 'a/b', 'with a slash'],
  ['CNI_IFNAME', 'a:b', 'with a colon'],
  ['CNI_IFNAME', 'a b', 'with a space'],
  ['CNI_IFNAME', 'sixteen-bytes-xx', 'of 16 bytes'],
];

const malformed = MALFORMED.map(([name, value, how]): CallCase => {
  const what = `ADD with a ${name} ${how}`;
  return {
    ...{ id: `environment/${name}-${how.replaceAll(' ', '-')}`, title: `${what}: code 4` },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS, verb: 'ADD', state: 'sandbox' },
    change: { env: { [name]: value } },
    expect: (outcome) => requireError(outcome, what, { codes: [CODE] }),
  };
});

const commands: CallCase[] = [
  {
    ...{ id: 'environment/without-command', title: 'no CNI_COMMAND: code 4 that names it', source: SOURCE },
    ...{ level: 'MUST', versions: VERSIONS, verb: 'ADD', state: 'sandbox' },
    change: { env: { CNI_COMMAND: undefined } },
    expect: (outcome) => requireError(outcome, 'no command', { codes: [CODE], names: 'CNI_COMMAND' }),
  },
  {
    ...{ id: 'environment/unknown-command', title: 'a CNI_COMMAND that does not exist: code 4 that names it' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS, verb: 'ADD', state: 'sandbox' },
    change: { env: { CNI_COMMAND: 'PURGE' } },
    expect: (outcome) => requireError(outcome, 'PURGE', { codes: [CODE], names: 'CNI_COMMAND' }),
  },
];

/** Environment × verb. */
export const environmentCases: readonly Case[] = fromCalls([...missing, ...malformed, ...commands]);
