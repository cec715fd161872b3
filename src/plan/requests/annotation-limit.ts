import type { Problem } from '../../api/problem.ts';

/** Of all annotations of an object together, in bytes: the API server's own limit, which it leaves out for templates. */
export const MAX_ANNOTATIONS = 262_144;

/** Keys and values in bytes of UTF-8, as the API server counts (`ValidateAnnotationsSize`). */
export function countAnnotations(annotations: Readonly<Record<string, string>>): number {
  return Object.entries(annotations).reduce((sum, [key, value]) => sum + Buffer.byteLength(key + value), 0);
}

/** What is wrong with a template whose annotations have that many bytes: no VMI could be made of it. Problem: InvalidRequest. */
export function checkAnnotations(bytes: number): Problem | undefined {
  if (bytes <= MAX_ANNOTATIONS) return undefined;
  const message = "the annotations of the VM's template are longer than 256 KiB, more than any object may have";
  return { reason: 'InvalidRequest', message };
}
