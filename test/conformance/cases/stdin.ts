import { asObject, describeOutcome, parseJson, requireError, requireNone } from '../expect.ts';
import {
  type Case,
  type Change,
  Failure,
  type Level,
  listVersionsOf,
  type Outcome,
  VERSIONS,
  type Verb,
} from '../model.ts';
import { type CallCase, findState, fromCalls } from './calls.ts';

type Row = {
  readonly id: string;
  readonly what: string;
  readonly change: Change;
  readonly codes: readonly number[];
  readonly source: string;
  readonly level: Level;
};

const CODE_6 = { source: '§5 Error, code 6', level: 'MUST' } as const;
const CODE_7 = { source: '§1 Configuration, §5 Error, code 7', level: 'MUST' } as const;
const CODE_1 = { source: '§5 Error, code 1', level: 'MUST' } as const;

const ROWS: readonly Row[] = [
  { id: 'cut-off', what: 'JSON that is cut off', change: { stdin: '{"cniVersion": "1.0' }, codes: [6], ...CODE_6 },
  { id: 'empty', what: 'nothing on stdin', change: { stdin: '' }, codes: [5, 6], ...CODE_6 },
  { id: 'list', what: 'a list on stdin', change: { stdin: '[]' }, codes: [6, 7], ...CODE_6 },
  { id: 'no-name', what: 'no network name', change: { config: { name: undefined } }, codes: [7], ...CODE_7 },
  { id: 'bad-name', what: 'a network name with a slash', change: { config: { name: 'a/b' } }, codes: [7], ...CODE_7 },
  {
    ...{ id: 'unknown-version', what: 'cniVersion 99.0.0', change: { config: { cniVersion: '99.0.0' } } },
    ...{ codes: [1], ...CODE_1 },
  },
  {
    ...{ id: 'number-version', what: 'a cniVersion that is a number', change: { config: { cniVersion: 17 } } },
    ...{ codes: [6, 1], ...CODE_6 },
  },
];

const VERBS: readonly Verb[] = ['ADD', 'CHECK', 'STATUS', 'GC'];

const refused = VERBS.flatMap((verb) =>
  ROWS.map((row): CallCase => {
    const what = `${verb} with ${row.what}`;
    return {
      ...{ id: `stdin/${verb.toLowerCase()}-${row.id}`, title: `${what}: code ${row.codes.join(' or ')}` },
      ...{ source: row.source, level: row.level, versions: listVersionsOf(verb), verb, state: findState(verb) },
      change: row.change,
      expect: (outcome) => requireError(outcome, what, { codes: row.codes }),
    };
  }),
);

/** A pod must not hang in Terminating because of its configuration, but an error of the right kind is fair. */
const deleted = ROWS.map((row): CallCase => {
  const what = `DEL with ${row.what}`;
  return {
    ...{ id: `stdin/del-${row.id}`, title: `${what}: success, or code ${row.codes.join(' or ')}`, source: row.source },
    ...{ level: row.level, versions: VERSIONS, verb: 'DEL', state: 'sandbox', change: row.change },
    expect: (outcome) => {
      if (outcome.exit !== 0) requireError(outcome, what, { codes: row.codes });
    },
  };
});

/** 0.1.0 is what a configuration without version has meant; a plugin need not speak it. */
const unversioned: CallCase = {
  ...{ id: 'stdin/add-no-version', title: 'ADD without cniVersion: taken for 0.1.0 or 0.2.0, or code 1' },
  ...{ source: '§1 Configuration; 0.2.0', level: 'practice', versions: ['1.1.0'], verb: 'ADD', state: 'sandbox' },
  change: { config: { cniVersion: undefined } },
  expect: (outcome) => {
    if (outcome.exit !== 0) return requireError(outcome, 'ADD without cniVersion', { codes: [1] });
    const version = asObject(parseJson(outcome.stdout))?.cniVersion;
    if (version !== '0.1.0' && version !== '0.2.0') throw new Failure(`answered in ${JSON.stringify(version)}`);
  },
};

/** The form of an error: section 5, "Error". */
const form: CallCase = {
  ...{ id: 'stdin/error-form', title: 'an error has cniVersion, code, msg, and nothing else on stdout' },
  ...{ source: '§5 Error', level: 'SHOULD', versions: VERSIONS, verb: 'ADD', state: 'sandbox' },
  change: { env: { CNI_IFNAME: undefined } },
  expect: (outcome, { version }) => {
    requireError(outcome, 'ADD without CNI_IFNAME');
    requireNone(listErrorFaults(outcome, version), describeOutcome(outcome));
  },
};

function listErrorFaults(outcome: Outcome, version: string): string[] {
  const { cniVersion, details, ...rest } = asObject(parseJson(outcome.stdout)) ?? {};
  const more = Object.keys(rest).filter((key) => key !== 'code' && key !== 'msg');
  return [
    ...(cniVersion === version
      ? []
      : [`cniVersion is ${JSON.stringify(cniVersion) ?? 'missing'}, the call's ${version}`]),
    ...(details === undefined || typeof details === 'string' ? [] : ['details is no text']),
    ...more.map((key) => `there is a key ${key}`),
  ];
}

/** Standard input × verb. */
export const stdinCases: readonly Case[] = fromCalls([...refused, ...deleted, unversioned, form]);
