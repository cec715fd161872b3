import { describe, expect, it } from 'vitest';
import { completeLock, type Lock, parsePlatform } from './complete.ts';

describe('parsePlatform', () => {
  it.each([
    ['@biomejs/cli-linux-x64-musl', { os: ['linux'], cpu: ['x64'], libc: ['musl'] }],
    ['@oxlint/binding-linux-x64-gnu', { os: ['linux'], cpu: ['x64'], libc: ['glibc'] }],
    ['@esbuild/win32-arm64', { os: ['win32'], cpu: ['arm64'] }],
    ['@rolldown/binding-wasm32-wasi', { cpu: ['wasm32'] }],
    ['fsevents', undefined],
  ])('%s', (name, expected) => {
    expect(parsePlatform(name)).toEqual(expected);
  });
});

it('adds only what is missing, and nothing the second time', () => {
  const lock: Lock = {
    packages: {
      'node_modules/tool': {
        version: '1.0.0',
        dev: true,
        optionalDependencies: { 'tool-linux-x64': '1.0.0', 'tool-darwin-arm64': '1.0.0' },
      },
      'node_modules/tool-linux-x64': { version: '1.0.0', optional: true },
    },
  };
  expect(completeLock(lock)).toEqual(['tool-darwin-arm64']);
  expect(lock.packages['node_modules/tool-darwin-arm64']).toEqual({
    version: '1.0.0',
    dev: true,
    optional: true,
    os: ['darwin'],
    cpu: ['arm64'],
  });
  expect(completeLock(lock)).toEqual([]);
});
