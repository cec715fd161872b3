import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compile, type JSONSchema } from 'json-schema-to-typescript';
import { parse } from 'yaml';

type Crd = {
  spec: {
    names: { kind: string };
    versions: { name: string; schema: { openAPIV3Schema: JSONSchema } }[];
  };
};

const METADATA = `export type ObjectMeta = {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: {
    apiVersion: string;
    kind: string;
    name: string;
    uid: string;
    controller?: boolean;
    blockOwnerDeletion?: boolean;
  }[];
};
`;

const walk = (schema: JSONSchema, visit: (node: JSONSchema) => void): void => {
  visit(schema);
  for (const child of Object.values(schema.properties ?? {})) walk(child as JSONSchema, visit);
  if (schema.items !== undefined && !Array.isArray(schema.items)) walk(schema.items as JSONSchema, visit);
};

/** Lists stay plain arrays (no tuples) and closed objects stay closed; names come from the property path. */
function prepare(kind: string, source: JSONSchema): JSONSchema {
  const schema = structuredClone(source);
  const properties = schema.properties as Record<string, JSONSchema>;
  properties.metadata = { tsType: 'ObjectMeta' };
  properties.apiVersion = { const: 'mooring.dev/v1alpha1' };
  properties.kind = { const: kind };
  schema.required = ['apiVersion', 'kind', 'metadata', 'spec'];
  walk(schema, (node) => {
    delete node.minItems;
    delete node.maxItems;
    if (node.type === 'object' && node.properties !== undefined) node.additionalProperties = false;
  });
  for (const part of ['spec', 'status']) {
    const child = properties[part];
    if (child !== undefined) child.title = `${kind}${part === 'spec' ? 'Spec' : 'Status'}`;
  }
  return schema;
}

/** The TypeScript of every CRD in `dir`, one interface per kind. Source: crds/*.yaml. */
export async function generateCrdTypes(dir: string): Promise<string> {
  const parts: string[] = [];
  for (const file of readdirSync(dir)
    .filter((name) => name.endsWith('.yaml'))
    .sort()) {
    const crd = parse(readFileSync(join(dir, file), 'utf8')) as Crd;
    const kind = crd.spec.names.kind;
    const version = crd.spec.versions[0];
    if (version === undefined) throw new Error(`${file} has no version`);
    parts.push(
      await compile(prepare(kind, version.schema.openAPIV3Schema), kind, {
        bannerComment: '',
        additionalProperties: false,
        style: { singleQuote: true, printWidth: 120 },
      }),
    );
  }
  return `// Generated from crds/*.yaml by \`make generate\`. Do not edit.\n\n${METADATA}\n${parts.join('\n')}`;
}

async function main(root: string, check: boolean): Promise<number> {
  const target = join(root, 'src/api/types.gen.ts');
  const wanted = await generateCrdTypes(join(root, 'crds'));
  if (!check) {
    writeFileSync(target, wanted);
    return 0;
  }
  if (readFileSync(target, 'utf8') === wanted) return 0;
  console.error('src/api/types.gen.ts does not match crds/*.yaml: run `make generate` and commit the result');
  return 1;
}

if (import.meta.main) process.exit(await main(resolve(import.meta.dirname, '../..'), process.argv.includes('--check')));
