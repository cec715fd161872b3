const UNITS: Record<string, number> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Bytes of a Kubernetes memory quantity (k8s.io/apimachinery, resource.Quantity). Throws TypeError for other text. */
export function parseBytes(quantity: string): number {
  const match = /^(\d+(?:\.\d+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(quantity);
  const factor = UNITS[match?.[2] ?? ''];
  if (match?.[1] === undefined || factor === undefined) throw new TypeError(`'${quantity}' is no memory quantity`);
  return Math.round(Number(match[1]) * factor);
}

export function parseMebibytes(quantity: string): number {
  return Math.round(parseBytes(quantity) / 2 ** 20);
}
