import { SUPPORTED_VERSIONS } from './request.ts';

/** The answer to VERSION: the version asked in, and all that we can answer in. */
export function formatVersions(cniVersion: string): Record<string, unknown> {
  return { cniVersion, supportedVersions: SUPPORTED_VERSIONS };
}
