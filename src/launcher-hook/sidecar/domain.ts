import { XMLParser } from 'fast-xml-parser';

/** An element of the domain XML and the part of the text that is it. */
export type Element = {
  readonly tag: string;
  /** Values as they stand in the text: entities are not decoded. */
  readonly attributes: ReadonlyMap<string, string>;
  /** Index of its `<`, and of what follows its last `>`. */
  readonly start: number;
  readonly end: number;
  readonly children: readonly Element[];
};

const PARSER = new XMLParser({
  preserveOrder: true,
  captureMetaData: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  processEntities: false,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
});
const PLACE = XMLParser.getMetaDataSymbol() as symbol;
/** libvirt's XML of a large guest has some 100 KiB. */
const MAX_TEXT = 1_048_576;

/**
 * The `domain` element of KubeVirt's domain XML (virt-launcher/virtwrap/api/schema.go). Undefined for a text that is not
 * well-formed, is none, is too long, or has what KubeVirt never writes and what would move the places in it: a document
 * type with its entities, carriage returns.
 */
export function parseDomain(text: string): Element | undefined {
  if (text.length > MAX_TEXT || text.includes('\r') || /<!DOCTYPE/i.test(text)) return undefined;
  const roots = parse(text)?.filter(({ tag }) => !tag.startsWith('?'));
  const [root] = roots ?? [];
  return roots?.length === 1 && root?.tag === 'domain' ? root : undefined;
}

function parse(text: string): Element[] | undefined {
  try {
    return readNodes(PARSER.parse(text, true), text);
  } catch {
    // The library tells what is not well-formed by throwing; an answer to it is all that is needed.
    return undefined;
  }
}

/** Throws when a place that the parser tells is not that of the element. */
function readNodes(nodes: unknown, text: string): Element[] {
  if (!Array.isArray(nodes)) return [];
  return nodes.flatMap((node: unknown) => (isNode(node) ? readNode(node, text) : []));
}

type ParsedNode = Record<string | symbol, unknown>;
const isNode = (value: unknown): value is ParsedNode => typeof value === 'object' && value !== null;

function readNode(node: ParsedNode, text: string): Element[] {
  const tag = Object.keys(node).find((key) => key !== ':@');
  if (tag === undefined || tag.startsWith('#')) return [];
  const place = node[PLACE] as { startIndex?: number; endIndex?: number } | undefined;
  const [start, end] = [place?.startIndex ?? -1, place?.endIndex ?? -1];
  if (!text.startsWith(`<${tag}`, start) || text[end - 1] !== '>') throw new RangeError(`no place of <${tag}>`);
  const attributes = new Map(Object.entries((node[':@'] ?? {}) as Record<string, string>));
  return [{ tag, attributes, start, end, children: readNodes(node[tag], text) }];
}

/** Children of that name. */
export const listChildren = (element: Element, tag: string): readonly Element[] =>
  element.children.filter((child) => child.tag === tag);

/** Elements that a path of names leads to. */
export function listAt(element: Element, ...path: readonly string[]): readonly Element[] {
  return path.reduce<readonly Element[]>(
    (elements, tag) => elements.flatMap((one) => listChildren(one, tag)),
    [element],
  );
}
