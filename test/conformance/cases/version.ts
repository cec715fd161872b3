import { asObject, parseJson, requireError, requireSuccess } from '../expect.ts';
import { type Case, Failure, type Outcome, VERSIONS } from '../model.ts';

const SOURCE = '§2 VERSION, §5 Version';

/** The version object. Throws Failure when there is none. */
export function requireVersions(outcome: Outcome): { cniVersion: unknown; supported: readonly unknown[] } {
  requireSuccess(outcome, 'VERSION');
  const body = asObject(parseJson(outcome.stdout));
  if (body === undefined) throw new Failure('no JSON object on stdout');
  const { cniVersion, supportedVersions } = body;
  if (!Array.isArray(supportedVersions)) throw new Failure('supportedVersions is no list');
  return { cniVersion, supported: supportedVersions };
}

/** `{"cniVersion": "…"}` is the whole input (section 2). */
const ask = (version: string): { stdin: string } => ({ stdin: JSON.stringify({ cniVersion: version }) });

export const versionCases: readonly Case[] = [
  {
    ...{ id: 'version/supported', title: 'supportedVersions names the version' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const { supported } = requireVersions(await world.call('VERSION', undefined, ask(world.version)));
      if (!supported.includes(world.version)) throw new Failure(`supported are ${supported.join(', ')}`);
    },
  },
  {
    ...{ id: 'version/echo', title: 'cniVersion is the one of the input' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const { cniVersion } = requireVersions(await world.call('VERSION', undefined, ask(world.version)));
      if (cniVersion !== world.version) throw new Failure(`asked in ${world.version} it says ${String(cniVersion)}`);
    },
  },
  {
    ...{ id: 'version/alone', title: 'needs no variable but CNI_COMMAND, and no input' },
    ...{ source: '§2 VERSION; libcni', level: 'practice', versions: ['1.1.0'] },
    run: async (world) => {
      const names = ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_ARGS', 'CNI_PATH'];
      const env = Object.fromEntries(names.map((name) => [name, undefined]));
      requireVersions(await world.call('VERSION', undefined, { env, stdin: '' }));
    },
  },
  {
    ...{ id: 'version/not-listed', title: 'ADD in a version that supportedVersions does not name: code 1' },
    ...{ source: '§5 Error, code 1', level: 'MUST', versions: ['1.1.0'] },
    run: async (world) => {
      const { supported } = requireVersions(await world.call('VERSION', undefined, ask(world.version)));
      const version = ['2.0.0', '0.5.0', '1.2.0'].find((other) => !supported.includes(other)) ?? '9.9.9';
      const outcome = await world.call('ADD', await world.sandbox(), { config: { cniVersion: version } });
      requireError(outcome, `ADD in ${version}`, { codes: [1] });
    },
  },
];
