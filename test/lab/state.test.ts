import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deriveNode } from './config.ts';
import {
  findCacheDir,
  findStateDir,
  getNode,
  type LabState,
  LabStateError,
  loadState,
  parseState,
  saveState,
} from './state.ts';
import { deriveState } from './up.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lab-state-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function createState(): LabState {
  const plan = { dir, cache: '/c', checkout: '/co', kubevirt: 'internal' as const, nodes: 3 };
  return { ...deriveState(plan), nodes: [{ ...deriveNode(dir, 1), mountNsPid: 42 }] };
}

const kind = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return error instanceof LabStateError ? error.kind : String(error);
  }
  return 'no error';
};

describe('state file', () => {
  it('is read back as it was written', () => {
    const lab = createState();
    saveState(lab);
    expect(loadState(dir)).toEqual(lab);
  });
  it('leaves no temporary file when it was written', () => {
    saveState(createState());
    expect(readdirSync(dir)).toEqual(['state.json']);
  });
  it('is not found when there is no lab', () => {
    expect(kind(() => loadState(join(dir, 'none')))).toBe('not found');
  });
  it('is terminal when a crash left half of it', () => {
    writeFileSync(join(dir, 'state.json'), JSON.stringify(createState()).slice(0, 100));
    expect(kind(() => loadState(dir))).toBe('terminal');
  });
  it.each([
    ['another version', { version: 2 }],
    ['an unknown phase', { phase: 'half' }],
    ['a node without a process', { nodes: [deriveNode('/x', 1)] }],
    ['a node name that is a path', { nodes: [{ ...deriveNode('/x', 1), mountNsPid: 1, name: '../x' }] }],
    ['an address that is none', { apiserver: { host: '198.18.0.300', port: 1, url: 'https://a' } }],
  ])('refuses %s', (_case, change) => {
    expect(kind(() => parseState(JSON.stringify({ ...createState(), ...change })))).toBe('terminal');
  });
  it('names the field that is wrong', () => {
    expect(() => parseState(JSON.stringify({ ...createState(), kubevirt: 'both' }))).toThrow(/kubevirt/);
  });
});

describe('places', () => {
  it.each([
    [{ MOORING_LAB: '/x' }, '/x'],
    [{}, '/var/lib/mooring-lab'],
  ])('takes the state directory from %o', (env, expected) => {
    expect(findStateDir(env)).toBe(expected);
  });
  it.each([
    [{ MOORING_CACHE: '/x', HOME: '/h' }, '/x'],
    [{ HOME: '/h' }, '/h/.cache/mooring'],
    [{}, join(homedir(), '.cache/mooring')],
  ])('takes the cache directory from %o', (env, expected) => {
    expect(findCacheDir(env)).toBe(expected);
  });
});

describe('getNode', () => {
  it('finds a node by name', () => {
    expect(getNode(createState(), 'node1').mgmtIp).toBe('198.18.0.11');
  });
  it('says which node there is not', () => {
    expect(() => getNode(createState(), 'node9')).toThrow('the lab has no node node9');
  });
});
