import { createOvsClient, type OvsClient } from '../../src/ovs/database.ts';
import { insertOp, namedUuid, wireSet } from '../../src/ovsdb/operations.ts';
import { type Content, createWholeClient, formatContent, SCHEMA_FILES } from '../ovn/database.ts';
import { startServer } from '../ovsdb/server.ts';

export type TestOvs = AsyncDisposable & { readonly ovs: OvsClient; dump(): Promise<Content> };

/** A node's database with the bridges `br-int` and `br-ex`; no ovs-vswitchd. */
export async function startOvs(): Promise<TestOvs> {
  const server = await startServer(SCHEMA_FILES.vswitch);
  const ovs = createOvsClient({ remotes: [server.remote] });
  const all = createWholeClient(server.remote, SCHEMA_FILES.vswitch);
  ovs.client.start();
  all.start();
  await Promise.all([ovs.client.whenLive(), all.whenLive()]);
  await ovs.client.transactAndSync([
    insertOp('Bridge', { name: 'br-int' }, { uuidName: 'int' }),
    insertOp('Bridge', { name: 'br-ex' }, { uuidName: 'ex' }),
    insertOp('Open_vSwitch', { bridges: wireSet([namedUuid('int'), namedUuid('ex')]) }),
  ]);
  return {
    ovs,
    dump: async () => {
      await all.transactAndSync([{ op: 'comment', comment: 'catch up' }]);
      return formatContent(all);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([ovs.client.stop(), all.stop()]);
      await server[Symbol.asyncDispose]();
    },
  };
}
