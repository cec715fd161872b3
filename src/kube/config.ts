import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { KubeConfig, type User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { z } from 'zod';

/** TLS material of a connection, as `node:tls` takes it. */
export type TlsOptions = {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  servername?: string;
  rejectUnauthorized?: boolean;
};

/** An API server and how to prove who we are. `authorization` gives the header's present value. */
export type ApiEndpoint = {
  server: string;
  tls: TlsOptions;
  authorization(): Promise<string | undefined>;
  /** The namespace of the context or of the service account. */
  namespace: string;
};

/** Where the configuration comes from; `server` replaces the address (one that needs no Service proxy). */
export type ConfigOptions = {
  source: { kind: 'kubeconfig'; path: string; context?: string } | { kind: 'inCluster'; pathPrefix?: string };
  server?: string | undefined;
  tlsServerName?: string | undefined;
};

/**
 * Reads a kubeconfig file or the pod's service account. Throws when the file is missing or names no cluster.
 * The token of a token file is read again whenever the file changes: the kubelet renews it about hourly.
 */
export async function loadEndpoint(options: ConfigOptions): Promise<ApiEndpoint> {
  const config = new KubeConfig();
  if (options.source.kind === 'kubeconfig') config.loadFromFile(options.source.path);
  else config.loadFromCluster(options.source.pathPrefix);
  if (options.source.kind === 'kubeconfig' && options.source.context !== undefined) {
    config.setCurrentContext(options.source.context);
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error('the kubeconfig names no current cluster');
  const server = options.server ?? cluster.server;
  return {
    server,
    tls: await loadTls(config, options.tlsServerName),
    authorization: createAuthorization(config, await findTokenFile(config, options)),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
  };
}

type HttpsOptions = TlsOptions & { headers?: Record<string, unknown> };

/** What the library would put on a `node:https` request: TLS material and headers, from any kind of login it knows. */
async function loadHttpsOptions(config: KubeConfig): Promise<HttpsOptions> {
  const options: Parameters<KubeConfig['applyToHTTPSOptions']>[0] = { headers: {} };
  await config.applyToHTTPSOptions(options);
  return options as HttpsOptions;
}

async function loadTls(config: KubeConfig, servername: string | undefined): Promise<TlsOptions> {
  const options = await loadHttpsOptions(config);
  const name = servername ?? options.servername;
  return {
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    ...(options.cert === undefined ? {} : { cert: options.cert }),
    ...(options.key === undefined ? {} : { key: options.key }),
    ...(name === undefined ? {} : { servername: name }),
    ...(options.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: options.rejectUnauthorized }),
  };
}

function createAuthorization(config: KubeConfig, tokenFile: string | undefined): () => Promise<string | undefined> {
  const user = config.getCurrentUser();
  if (tokenFile !== undefined) return createTokenFile(tokenFile);
  const fixed = formatFixedAuthorization(user);
  if (fixed !== undefined || (user?.exec === undefined && user?.authProvider === undefined)) return async () => fixed;
  return async () => {
    const header = (await loadHttpsOptions(config)).headers?.Authorization;
    return typeof header === 'string' ? header : undefined;
  };
}

const KubeconfigUsers = z.object({
  users: z
    .array(z.object({ name: z.string(), user: z.object({ tokenFile: z.string().optional() }).nullish() }))
    .optional(),
});

/** The user's token file. The library leaves `tokenFile` out of the kubeconfigs that it reads. */
async function findTokenFile(config: KubeConfig, { source }: ConfigOptions): Promise<string | undefined> {
  const user = config.getCurrentUser();
  const known: unknown = user?.authProvider?.config?.tokenFile;
  if (typeof known === 'string') return known;
  if (source.kind === 'inCluster') return undefined;
  const { users = [] } = KubeconfigUsers.parse(parse(await readFile(source.path, 'utf8')));
  const file = users.find((entry) => entry.name === user?.name)?.user?.tokenFile;
  return file === undefined ? undefined : resolve(dirname(source.path), file);
}

function formatFixedAuthorization(user: User | null): string | undefined {
  if (user?.token !== undefined) return `Bearer ${user.token}`;
  if (user?.username === undefined) return undefined;
  return `Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`;
}

/** A bearer token in a file, read again when the file's inode or time changes. Throws when it never could be read. */
export function createTokenFile(path: string): () => Promise<string> {
  let seen = '';
  let value: string | undefined;
  return async () => {
    try {
      const { ino, mtimeMs } = await stat(path);
      if (value !== undefined && seen === `${ino}/${mtimeMs}`) return value;
      value = `Bearer ${(await readFile(path, 'utf8')).trim()}`;
      seen = `${ino}/${mtimeMs}`;
    } catch (error) {
      // A rotation in progress: the last token is good for some minutes more.
      if (value === undefined) throw error;
    }
    return value;
  };
}
