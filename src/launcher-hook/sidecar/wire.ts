import type { ServiceDefinition } from '@grpc/grpc-js';
import { fromJSON, type PackageDefinition } from '@grpc/proto-loader';

/**
 * KubeVirt's hook protocol (pkg/hooks/info/api_info.proto, pkg/hooks/v1alpha{1,2,3}/api_*.proto) as protobuf.js reads it,
 * in the program itself: the image has no .proto files.
 */
type Field = { readonly type: string; readonly id: number; readonly rule?: string };
/** Messages and services in a package, as protobuf.js writes them in JSON. */
type Package = Parameters<typeof fromJSON>[0];
const message = (fields: Readonly<Record<string, Field>> = {}) => ({ fields });
const bytes = (id: number): Field => ({ type: 'bytes', id });
const method = (name: string) => ({ requestType: `${name}Params`, responseType: `${name}Result` });

const ON_DEFINE_DOMAIN = {
  OnDefineDomainParams: message({ domainXML: bytes(1), vmi: bytes(2) }),
  OnDefineDomainResult: message({ domainXML: bytes(1) }),
};
const PRE_CLOUD_INIT_ISO = {
  PreCloudInitIsoParams: message({ cloudInitNoCloudSource: bytes(1), vmi: bytes(2), cloudInitData: bytes(3) }),
  PreCloudInitIsoResult: message({ cloudInitNoCloudSource: bytes(1), cloudInitData: bytes(3) }),
};
const SHUTDOWN = { ShutdownParams: message(), ShutdownResult: message() };
const INFO = {
  InfoParams: message(),
  HookPoint: message({ name: { type: 'string', id: 1 }, priority: { type: 'int32', id: 2 } }),
  InfoResult: message({
    name: { type: 'string', id: 1 },
    hookPoints: { type: 'HookPoint', id: 3, rule: 'repeated' },
    versions: { type: 'string', id: 4, rule: 'repeated' },
  }),
};

function service(name: string, methods: readonly string[], messages: Package['nested']): Package {
  const service = { methods: Object.fromEntries(methods.map((one) => [one, method(one)])) };
  // The types ask for comments, too, which the library does without.
  return { nested: { ...messages, [name]: service } } as Package;
}

const PROTOCOL = {
  info: service('Info', ['Info'], INFO),
  v1alpha1: service('Callbacks', ['OnDefineDomain'], ON_DEFINE_DOMAIN),
  v1alpha2: service('Callbacks', ['OnDefineDomain', 'PreCloudInitIso'], { ...ON_DEFINE_DOMAIN, ...PRE_CLOUD_INIT_ISO }),
  v1alpha3: service('Callbacks', ['OnDefineDomain', 'PreCloudInitIso', 'Shutdown'], {
    ...ON_DEFINE_DOMAIN,
    ...PRE_CLOUD_INIT_ISO,
    ...SHUTDOWN,
  }),
};

/** Newest first, as the launcher looks for them. */
export const VERSIONS = ['v1alpha3', 'v1alpha2', 'v1alpha1'] as const;
export type Version = (typeof VERSIONS)[number];

export type InfoResult = {
  readonly name: string;
  readonly versions: readonly string[];
  readonly hookPoints: readonly { readonly name: string; readonly priority: number }[];
};
export type DomainParams = { readonly domainXML: Uint8Array; readonly vmi: Uint8Array };
export type DomainResult = { readonly domainXML: Uint8Array };
export type CloudInitResult = { readonly cloudInitNoCloudSource: Uint8Array; readonly cloudInitData: Uint8Array };
export type CloudInitParams = CloudInitResult & { readonly vmi: Uint8Array };

/** The definitions for a server or a client of gRPC, by name: `Info` and the versions of `Callbacks`. */
export function loadServices(): Readonly<Record<'Info' | Version, ServiceDefinition>> {
  const nested = { kubevirt: { nested: { hooks: { nested: PROTOCOL } } } };
  const definitions = fromJSON({ nested }, { defaults: true });
  const [v1alpha3, v1alpha2, v1alpha1] = VERSIONS.map((version) => find(definitions, `${version}.Callbacks`));
  return { Info: find(definitions, 'info.Info'), v1alpha3, v1alpha2, v1alpha1 } as Record<
    'Info' | Version,
    ServiceDefinition
  >;
}

function find(definitions: PackageDefinition, name: string): ServiceDefinition {
  return definitions[`kubevirt.hooks.${name}`] as ServiceDefinition;
}
