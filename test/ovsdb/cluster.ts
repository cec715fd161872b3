import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { TEST_SCHEMA } from './schema.ts';
import { makeTempDir, TestServer, until, writeTestSchema } from './server.ts';
import { runTool } from './tools.ts';

/** A RAFT cluster on unix sockets, one process and one directory per member. */
export type TestCluster = AsyncDisposable & {
  readonly members: readonly TestServer[];
  readonly remotes: readonly string[];
  /** The running member that leads now. */
  leader(): Promise<TestServer>;
  /** A running member that does not lead. */
  follower(): Promise<TestServer>;
  /** Waits until every running member knows one leader. */
  settled(): Promise<void>;
};

const ELECTION_TIMER_MS = 1000;

/** Another schema than the small one. */
export type ClusterFiles = { readonly schemaPath?: string; readonly database?: string };

/** Starts a cluster of `size` members with an election timer of one second; by default with the small test schema. */
export async function startCluster(size = 3, files: ClusterFiles = {}): Promise<TestCluster> {
  await using cleanup = new AsyncDisposableStack();
  const dir = makeTempDir();
  cleanup.defer(() => dir.remove());
  const members: TestServer[] = [];
  const database = files.database ?? TEST_SCHEMA.name;
  const schema = files.schemaPath ?? writeTestSchema(dir.path);
  const raftSocket = (i: number): string => `unix:${join(dir.path, `raft${i}`)}`;
  for (let i = 0; i < size; i++) {
    const home = join(dir.path, String(i));
    mkdirSync(home);
    await runTool('ovsdb-tool', createArgs(i, { home, raftSocket, schema, database }));
    const member = new TestServer(home, database, []);
    cleanup.defer(() => member.kill());
    await member.start();
    members.push(member);
    await until('member has joined', async () => /Status: cluster member/.test(await status(member)));
  }
  const owned = cleanup.move();
  return { ...makeControls(members), [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function makeControls(members: readonly TestServer[]): Omit<TestCluster, typeof Symbol.asyncDispose> {
  const find = async (role: 'leader' | 'follower'): Promise<TestServer> =>
    await until(`a ${role}`, () => findMember(members, role));
  return {
    members,
    remotes: members.map((member) => member.remote),
    leader: () => find('leader'),
    follower: () => find('follower'),
    settled: async () => {
      await until('one leader for all', () => isSettled(members));
    },
  };
}

type Place = {
  readonly home: string;
  readonly schema: string;
  readonly database: string;
  readonly raftSocket: (i: number) => string;
};

function createArgs(i: number, { home, schema, database, raftSocket }: Place): string[] {
  const file = join(home, 'db');
  if (i > 0) return ['join-cluster', file, database, raftSocket(i), raftSocket(0)];
  return [`--election-timer=${ELECTION_TIMER_MS}`, 'create-cluster', file, schema, raftSocket(0)];
}

/** What the member says of itself; nothing when it has just crashed. */
async function status(member: TestServer): Promise<string> {
  try {
    return await member.control('cluster/status', member.database);
  } catch (error) {
    if (!member.running) return '';
    throw error;
  }
}

async function findMember(members: readonly TestServer[], role: string): Promise<TestServer | undefined> {
  for (const member of members.filter((m) => m.running)) {
    if (new RegExp(`^Role: ${role}$`, 'm').test(await status(member))) return member;
  }
  return undefined;
}

async function isSettled(members: readonly TestServer[]): Promise<boolean> {
  const texts = await Promise.all(members.filter((m) => m.running).map(status));
  const leads = texts.filter((text) => /^Role: leader$/m.test(text)).length;
  return leads === 1 && texts.every((text) => !/^Leader: unknown$/m.test(text));
}
