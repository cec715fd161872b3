import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MARKER } from './down.ts';
import { parseState } from './state.ts';
import { deriveState, refuseForeign } from './up.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lab-up-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('refuseForeign', () => {
  it('takes a directory that is not there', () => {
    expect(() => refuseForeign(join(dir, 'none'))).not.toThrow();
  });
  it('takes an empty directory', () => {
    expect(() => refuseForeign(dir)).not.toThrow();
  });
  it("takes a lab's directory", () => {
    writeFileSync(join(dir, MARKER), '');
    mkdirSync(join(dir, 'nodes'));
    expect(() => refuseForeign(dir)).not.toThrow();
  });
  it('refuses a directory with something else in it, even if that looks like a state', () => {
    writeFileSync(join(dir, 'state.json'), '{}');
    expect(() => refuseForeign(dir)).toThrow("holds something that is not a lab's");
  });
});

describe('deriveState', () => {
  it('is a state that can be read back before any node exists', () => {
    const lab = deriveState({ dir, cache: '/c', checkout: '/co', kubevirt: 'external', nodes: 3 });
    expect(parseState(JSON.stringify(lab))).toEqual(lab);
    expect(lab).toMatchObject({ phase: 'starting', kubevirt: 'external', nodes: [] });
  });
  it('keeps state below its directory and programs in the cache', () => {
    const lab = deriveState({ dir, cache: '/c', checkout: '/co', kubevirt: 'internal', nodes: 3 });
    for (const path of [lab.adminKubeconfig, lab.pki.dir, lab.pki.ca]) expect(path.startsWith(`${dir}/`)).toBe(true);
    for (const path of Object.values(lab.bin)) expect(path.startsWith('/c/')).toBe(true);
  });
});
