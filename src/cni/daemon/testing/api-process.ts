import { startFakeApiServer } from '../../../kube/testing/fake-api-server.ts';
import type { KubeObject } from '../../../kube/types.ts';

/** What the parent process may ask. `collection` as the fake storage names it, e.g. `v1/pods`. */
export type ApiRequest =
  | { do: 'put'; collection: string; object: KubeObject }
  | { do: 'remove'; collection: string; key: string }
  | { do: 'list'; collection: string };

/** An API server of its own process, as the agent under test lives in another network namespace than the test. */
const server = await startFakeApiServer();

process.on('message', ({ id, request }: { id: number; request: ApiRequest }) => {
  process.send?.({ id, ...answer(request) });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ id: 0, value: server.endpoint.server });

function answer(request: ApiRequest): { value?: unknown; error?: string } {
  try {
    return { value: carryOut(request) };
  } catch (error) {
    return { error: String(error) };
  }
}

function carryOut(request: ApiRequest): unknown {
  const { storage } = server;
  if (request.do === 'list') return storage.list(request.collection);
  if (request.do === 'remove') return storage.remove(request.collection, request.key);
  const { name, namespace } = request.object.metadata ?? {};
  const exists = storage
    .list(request.collection)
    .some(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
  return exists
    ? storage.replace(request.collection, request.object)
    : storage.create(request.collection, request.object);
}
