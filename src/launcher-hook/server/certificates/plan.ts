/** A certificate that signs serving certificates. Times are milliseconds of the wall clock, as certificates have them. */
export type Authority = {
  /** SHA-256 of the certificate: the only name that two of them never share. */
  readonly fingerprint: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Since when every configuration is known to trust it. */
  readonly trustedAt?: number | undefined;
};

export type Serving = {
  /** Fingerprint of the authority that has signed it. */
  readonly issuer: string | undefined;
  readonly names: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
};

/** What one webhook configuration trusts, as fingerprints. */
export type Bundle = { readonly configuration: string; readonly authorities: readonly string[] };

export type CertificateState = {
  /** Oldest first. */
  readonly authorities: readonly Authority[];
  readonly serving: Serving | undefined;
  readonly bundles: readonly Bundle[];
};

export type CertificatePolicy = {
  /** The names that the API server asks for. */
  readonly names: readonly string[];
  readonly authorityMs: number;
  readonly servingMs: number;
  /** From a change until every API server and every replica goes by it. */
  readonly settleMs: number;
  /** How much earlier than now certificates begin, for clocks that are behind. */
  readonly backdateMs: number;
};

export type Step =
  | { readonly do: 'makeAuthority' }
  /** A new serving certificate of this authority. */
  | { readonly do: 'issue'; readonly authority: string }
  /** Writes down that every configuration trusts it from now on. */
  | { readonly do: 'noteTrusted'; readonly authority: string }
  | { readonly do: 'drop'; readonly authority: string }
  /** Has these configurations trust all authorities there are, and no others. */
  | { readonly do: 'trust'; readonly configurations: readonly string[] };

export type CertificatePlan = {
  readonly steps: readonly Step[];
  /** When time alone asks for a further step; undefined: only a change does. */
  readonly nextAt: number | undefined;
};

/** After two thirds of its time. */
const findDue = ({ notBefore, notAfter }: { notBefore: number; notAfter: number }): number =>
  notBefore + Math.floor(((notAfter - notBefore) * 2) / 3);

/**
 * The next steps of a rotation that no caller notices: a new authority is trusted beside the old one by all
 * configurations, and has been for a while, before the server shows a certificate of it; the old one goes only when
 * nobody shows its certificates any more. At most one step writes the Secret, and it is the first. Done again from what
 * is then observed, until nothing is left.
 */
export function planCertificates(state: CertificateState, policy: CertificatePolicy, now: number): CertificatePlan {
  const write = planWrite(state, policy, now);
  const wanted = state.authorities.filter(({ notAfter }) => notAfter > now).map(({ fingerprint }) => fingerprint);
  const untold = state.bundles.filter(({ authorities }) => authorities.join() !== wanted.join());
  const configurations = wanted.length === 0 ? [] : untold.map(({ configuration }) => configuration);
  return {
    steps: [
      ...(write === undefined ? [] : [write]),
      ...(configurations.length === 0 ? [] : [{ do: 'trust', configurations } as const]),
    ],
    nextAt: findNextMoment(state, policy, now),
  };
}

function planWrite(state: CertificateState, policy: CertificatePolicy, now: number): Step | undefined {
  const gone = state.authorities.find(({ notAfter }) => notAfter <= now);
  if (gone !== undefined) return { do: 'drop', authority: gone.fingerprint };
  const newest = state.authorities.at(-1);
  if (newest === undefined || findDue(newest) <= now) return { do: 'makeAuthority' };
  return planIssue(state, policy, now) ?? planNote(state) ?? planDrop(state, policy, now);
}

function planIssue(state: CertificateState, policy: CertificatePolicy, now: number): Step | undefined {
  const { authorities, serving } = state;
  const settled = authorities.findLast(
    ({ trustedAt }) => trustedAt !== undefined && trustedAt + policy.settleMs <= now,
  );
  if (serving === undefined || !isUsable(state, policy, now)) {
    // Nobody can be served as it is: better trusted in a moment than not at all.
    const authority = settled ?? authorities.at(-1);
    return authority && { do: 'issue', authority: authority.fingerprint };
  }
  if (settled === undefined) return undefined;
  const isOld = findDue(serving) <= now || isBefore(authorities, serving.issuer, settled.fingerprint);
  return isOld ? { do: 'issue', authority: settled.fingerprint } : undefined;
}

function isUsable({ authorities, serving }: CertificateState, policy: CertificatePolicy, now: number): boolean {
  if (serving === undefined || serving.notAfter <= now) return false;
  const isKnown = authorities.some(({ fingerprint }) => fingerprint === serving.issuer);
  return isKnown && policy.names.every((name) => serving.names.includes(name));
}

function isBefore(authorities: readonly Authority[], left: string | undefined, right: string): boolean {
  const place = (wanted: string | undefined) => authorities.findIndex(({ fingerprint }) => fingerprint === wanted);
  return place(left) < place(right);
}

function planNote({ authorities, bundles }: CertificateState): Step | undefined {
  const trusted = authorities.find(
    ({ fingerprint, trustedAt }) =>
      trustedAt === undefined && bundles.length > 0 && bundles.every((one) => one.authorities.includes(fingerprint)),
  );
  return trusted && { do: 'noteTrusted', authority: trusted.fingerprint };
}

/** The oldest, once the certificate of a later one has been shown for long enough that everybody shows it. */
function planDrop(
  { authorities, serving }: CertificateState,
  policy: CertificatePolicy,
  now: number,
): Step | undefined {
  const [oldest] = authorities;
  if (oldest === undefined || serving === undefined || oldest.fingerprint === serving.issuer) return undefined;
  if (!isBefore(authorities, oldest.fingerprint, serving.issuer ?? '')) return undefined;
  return findIssuedAt(serving, policy) + policy.settleMs <= now
    ? { do: 'drop', authority: oldest.fingerprint }
    : undefined;
}

const findIssuedAt = (serving: Serving, policy: CertificatePolicy): number => serving.notBefore + policy.backdateMs;

function findNextMoment(state: CertificateState, policy: CertificatePolicy, now: number): number | undefined {
  const { authorities, serving } = state;
  const moments = authorities.flatMap((authority) => [
    findDue(authority),
    authority.notAfter,
    ...(authority.trustedAt === undefined ? [] : [authority.trustedAt + policy.settleMs]),
  ]);
  if (serving !== undefined) moments.push(findDue(serving), findIssuedAt(serving, policy) + policy.settleMs);
  const coming = moments.filter((moment) => moment > now);
  return coming.length === 0 ? undefined : Math.min(...coming);
}
