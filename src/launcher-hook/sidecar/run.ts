import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Logger } from '../../kube/types.ts';
import { configureGuest, defineDomain } from './callbacks.ts';
import { type InfoResult, loadServices, VERSIONS } from './wire.ts';

/** Where virt-launcher looks for sockets (pkg/hooks/hooks.go, HookSocketsSharedDirectory). */
export const SOCKET_DIRECTORY = '/var/run/kubevirt-hooks';

export type SidecarOptions = {
  /** Nothing else may be in it: the launcher dials every file. */
  readonly directory: string;
  /**
   * Subscribe to PreCloudInitIso. Only for VMIs that have a cloud-init volume: for one without, virt-launcher (at least
   * to v1.9) has no data to hand over, and dies on it.
   */
  readonly configureGuest: boolean;
  readonly logger: Logger;
  /** Some letters and digits that no other sidecar of the pod has. */
  readonly suffix: string;
  /** Aborted when the program is told to stop. */
  readonly signal: AbortSignal;
};

/** A guest's XML, its VMI and its cloud-init data are each far smaller. */
const MAX_MESSAGE = 16 * 1024 * 1024;
/** For an answer that is under way, milliseconds. */
const GRACE = 1000;

/**
 * Serves KubeVirt's hook protocol on one socket until the launcher calls Shutdown or the signal comes; the socket is gone
 * then. Rejects when the socket cannot be made.
 */
export async function runSidecar(options: SidecarOptions): Promise<void> {
  const { directory, logger, suffix, signal } = options;
  const server = new Server({ 'grpc.max_receive_message_length': MAX_MESSAGE });
  const done = Promise.withResolvers<void>();
  addServices(server, options, () => done.resolve());
  const path = join(directory, `mooring-${suffix}.sock`);
  await listen(server, path);
  logger.info({ path }, 'hook sidecar serves');
  if (signal.aborted) done.resolve();
  else signal.addEventListener('abort', () => done.resolve(), { once: true });
  await done.promise;
  await close(server);
  logger.info({ path }, 'hook sidecar ends');
}

function addServices(server: Server, options: SidecarOptions, stop: () => void): void {
  const services = loadServices();
  const { logger } = options;
  server.addService(services.Info, { Info: answer(() => formatInfo(options)) });
  const OnDefineDomain = answer((params: Parameters<typeof defineDomain>[0]) => defineDomain(params, logger));
  const PreCloudInitIso = answer((params: Parameters<typeof configureGuest>[0]) => configureGuest(params, logger));
  const Shutdown: Handler = (_call, callback) => {
    callback(null, {});
    stop();
  };
  server.addService(services.v1alpha1, { OnDefineDomain });
  server.addService(services.v1alpha2, { OnDefineDomain, PreCloudInitIso });
  server.addService(services.v1alpha3, { OnDefineDomain, PreCloudInitIso, Shutdown });
}

/** What of a call of gRPC is needed here: a structural part of its types, whose messages are known at run time only. */
type Call = { readonly request: unknown };
type Callback = (error: null, result: object) => void;
type Handler = (call: Call, callback: Callback) => void;

function answer<Params>(run: (params: Params) => object): Handler {
  return ({ request }, callback) => callback(null, run(request as Params));
}

function formatInfo({ configureGuest: configures }: SidecarOptions): InfoResult {
  const names = ['OnDefineDomain', ...(configures ? ['PreCloudInitIso'] : []), 'Shutdown'];
  return { name: 'mooring', versions: VERSIONS, hookPoints: names.map((name) => ({ name, priority: 0 })) };
}

function listen(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
  return promise;
}

/** Lets answers go out, but waits for no client that keeps its connection. */
function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    server.forceShutdown();
    resolve();
  }, GRACE);
  server.tryShutdown(() => {
    clearTimeout(timer);
    resolve();
  });
  return promise;
}
