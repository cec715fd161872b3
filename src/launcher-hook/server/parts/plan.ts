import type { KubeObject } from '../../../kube/index.ts';

/** The API server carries a policy out by the binding that goes with it; in the chart both have one name. */
export type PolicyBinding = KubeObject & { spec?: { policyName?: string; validationActions?: readonly string[] } };

/** What was read in full; undefined of what nobody can tell. */
export type Seen = {
  readonly policies: readonly KubeObject[] | undefined;
  readonly bindings: readonly PolicyBinding[] | undefined;
  /** Single objects of the chart and whether they are there. */
  readonly objects: readonly (Part & { readonly isThere: boolean | undefined })[];
};

export type Part = { readonly kind: string; readonly name: string };
/** A part of the installation that the API server goes by, and that is not as the chart made it. */
export type Gap = Part & { readonly what: string };

const POLICY = 'ValidatingAdmissionPolicy';
const BINDING = 'ValidatingAdmissionPolicyBinding';
const AWAY = 'it is not there';

/** The gaps among these policies, their bindings and single objects. Nothing is said of what could not be read. */
export function listGaps(policies: readonly string[], { policies: there, bindings, objects }: Seen): Gap[] {
  const has = (list: readonly KubeObject[], name: string) => list.some(({ metadata }) => metadata?.name === name);
  return [
    ...policies.flatMap((name) => (there === undefined || has(there, name) ? [] : { kind: POLICY, name, what: AWAY })),
    ...policies.flatMap((name) => {
      const what = bindings && describeBinding(name, bindings);
      return what === undefined ? [] : { kind: BINDING, name, what };
    }),
    ...objects.flatMap(({ kind, name, isThere }) => (isThere === false ? { kind, name, what: AWAY } : [])),
  ];
}

function describeBinding(name: string, bindings: readonly PolicyBinding[]): string | undefined {
  const found = bindings.find(({ metadata }) => metadata?.name === name);
  if (found === undefined) return AWAY;
  if (found.spec?.policyName !== name) return 'it is of another policy';
  return found.spec.validationActions?.includes('Deny') === true ? undefined : 'it denies nothing';
}
