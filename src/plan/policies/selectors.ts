import { asFields } from '../../api/fields.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

/** One thing that labels must be; `values` is empty for Exists and DoesNotExist. */
export type Requirement = {
  readonly key: string;
  readonly operator: (typeof OPERATORS)[number];
  readonly values: readonly string[];
};

/** All must hold; whatever labels there are pass when there is none. In an order of its own, so that it has one text. */
export type Selector = readonly Requirement[];

export type Labels = Readonly<Record<string, string>>;

/** Everything, whatever its labels. */
export const ANYTHING: Selector = [];

const MAX_REQUIREMENTS = 256;
const MAX_VALUES = 1024;

/**
 * Reads a LabelSelector (apimachinery): `matchLabels` and `matchExpressions`, all of which must hold.
 * Problem: InvalidNetworkPolicy.
 */
export function parseSelector(raw: unknown, where: string): Result<Selector> {
  const selector = asFields(raw);
  const labels = asFields(selector?.get('matchLabels') ?? {});
  const expressions = selector?.get('matchExpressions') ?? [];
  if (selector === undefined || labels === undefined || !Array.isArray(expressions)) {
    return invalid(where, 'is no label selector');
  }
  if (labels.size + expressions.length > MAX_REQUIREMENTS) {
    return invalid(where, `asks for more than ${MAX_REQUIREMENTS} things`);
  }
  const wanted = [...[...labels].map(makeEquality), ...expressions.map(parseExpression)];
  const requirements = wanted.flatMap((one) => one ?? []);
  if (requirements.length < wanted.length) return invalid(where, 'has a requirement that cannot be understood');
  return succeed(requirements.toSorted((a, b) => (describe(a) < describe(b) ? -1 : 1)));
}

const invalid = (where: string, what: string) => fail('InvalidNetworkPolicy', `${where} ${what}`);

function makeEquality([key, value]: [string, unknown]): Requirement | undefined {
  return typeof value === 'string' ? { key, operator: 'In', values: [value] } : undefined;
}

function parseExpression(raw: unknown): Requirement | undefined {
  const expression = asFields(raw);
  const key = expression?.get('key');
  const operator = OPERATORS.find((one) => one === expression?.get('operator'));
  const values: unknown = expression?.get('values') ?? [];
  if (typeof key !== 'string' || key === '' || operator === undefined || !isTexts(values)) return undefined;
  const hasValues = values.length > 0;
  if (hasValues !== (operator === 'In' || operator === 'NotIn')) return undefined;
  return { key, operator, values: [...new Set(values)].sort() };
}

const isTexts = (values: unknown): values is string[] =>
  Array.isArray(values) && values.length <= MAX_VALUES && values.every((value) => typeof value === 'string');

const describe = ({ key, operator, values }: Requirement): string => JSON.stringify([key, operator, values]);

/** One text for selectors that say the same, and another one for every other. */
export const formatSelector = (selector: Selector): string => `[${[...new Set(selector.map(describe))].join()}]`;

/** Whether labels are as a selector wants them. A key that is absent is in no set, and so passes NotIn. */
export function matchesSelector(selector: Selector, labels: Labels): boolean {
  return selector.every((requirement) => isMet(requirement, labels));
}

function isMet({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}
