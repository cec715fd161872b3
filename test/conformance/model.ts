/** Versions of the specification that every plugin is asked in, oldest first. */
export const VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type Version = (typeof VERSIONS)[number];

/** What a plugin is asked for: an interface, or addresses for the interface of another plugin (section 4). */
export type Kind = 'interface' | 'ipam';

export type Verb = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC' | 'VERSION';

/** In which version of the specification a verb appeared. */
const SINCE: Readonly<Record<Verb, Version>> = {
  ...{ ADD: '0.3.1', DEL: '0.3.1', VERSION: '0.3.1', CHECK: '0.4.0' },
  ...{ STATUS: '1.1.0', GC: '1.1.0' },
};

export const listVersionsOf = (verb: Verb): readonly Version[] => VERSIONS.slice(VERSIONS.indexOf(SINCE[verb]));
export const listVersionsBefore = (verb: Verb): readonly Version[] => VERSIONS.slice(0, VERSIONS.indexOf(SINCE[verb]));

/** `practice`: the specification does not say it, but runtimes or the safety of the node depend on it. */
export type Level = 'MUST' | 'SHOULD' | 'practice';

/** One interface of one container, as a runtime makes it: an empty network namespace. */
export type Place = {
  readonly containerId: string;
  readonly ifname: string;
  /** Name of the namespace under /run/netns, and its whole path. */
  readonly netns: string;
  readonly path: string;
};

/** With what the plugin needs to know besides: CNI_ARGS. */
export type Sandbox = Place & { readonly args: string };

/** Programs that are there for every plugin: the reference plugins in a folder, and cnitool, the runtime of libcni. */
export type Tools = { readonly plugins: string; readonly cnitool: string };

/** What differs from an ordinary call. */
export type Change = {
  /** Variables; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Keys of the configuration; undefined takes one away. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The whole standard input instead of a configuration. */
  readonly stdin?: string;
};

export type Outcome = {
  readonly exit: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type Result = {
  readonly cniVersion?: string;
  readonly interfaces?: readonly { name: string; mac?: string; sandbox?: string }[];
  readonly ips?: readonly { address: string; gateway?: string; interface?: number }[];
  readonly routes?: readonly { dst: string; gw?: string }[];
  readonly [key: string]: unknown;
};

/** A plugin at work on a node of its own. */
export type Running = {
  readonly binary: string;
  /** CNI_PATH. */
  readonly path: string;
  /** The node: the namespace that the plugin is executed in. */
  readonly netns: string;
  readonly tools: Tools;
  /** The configuration of the network as a runtime passes it on, without `cniVersion`. */
  config(): Readonly<Record<string, unknown>>;
  /** What has to be there before an ADD for this sandbox; gives CNI_ARGS. */
  prepare(place: Place): Promise<string>;
  /** The opposite. */
  forget(place: Place): Promise<void>;
  /** What the node still holds for this sandbox, in words. Absent: nothing that could be seen from outside. */
  leftovers?(place: Place): Promise<readonly string[]>;
  /** Makes ADD impossible until it is healed; `change` is how calls look meanwhile. Absent: nothing it depends on. */
  cripple?(): Promise<Crippled>;
  stop(): Promise<void>;
};

export type Crippled = { readonly what: string; readonly change: Change; heal(): Promise<void> };

/** A case that this plugin is right to fail, or that we live with. It counts only while the case does fail. */
export type KnownDifference = {
  readonly id: string;
  readonly reason: string;
  /** Part of what the failure says: any other failure of the case is one. */
  readonly says: string;
};

export type Plugin = {
  readonly name: string;
  readonly kind: Kind;
  readonly known: readonly KnownDifference[];
  start(): Promise<Running>;
};

/** What a case works with: one plugin, one version, sandboxes that go away with it. */
export type World = {
  readonly running: Running;
  readonly version: Version;
  sandbox(): Promise<Sandbox>;
  /** Another interface of the same container. */
  further(sandbox: Sandbox, ifname: string): Promise<Sandbox>;
  /** Executes the plugin. Without a sandbox the variables about one are empty, as a runtime leaves them. */
  call(verb: Verb, sandbox?: Sandbox, change?: Change): Promise<Outcome>;
  /** Runs a program in a namespace, the node's when it is undefined; throws when it fails. */
  exec(netns: string | undefined, ...argv: string[]): Promise<string>;
  /** Runs when the case is over, before the sandboxes go. */
  defer(step: () => Promise<unknown>): void;
};

export type Case = {
  /** Stable: known differences and the document name cases by it. */
  readonly id: string;
  readonly title: string;
  /** Section of the specification 1.1, or whose habit it is. */
  readonly source: string;
  readonly level: Level;
  readonly versions: readonly Version[];
  /** Throws Failure or NotApplicable. */
  run(world: World): Promise<void>;
};

/** The plugin has not done what the case asks for; the message says what it did instead. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** The case says nothing about this plugin. */
export class NotApplicable extends Error {
  override readonly name = 'NotApplicable';
}

export type Verdict = {
  readonly outcome: 'pass' | 'fail' | 'known' | 'n/a';
  /** Why not `pass`. */
  readonly reason?: string;
};
