import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatLinkerFlags, KUBERNETES_VERSION } from './binaries.ts';
import { formatInstall, listMissing, parsePackages } from './packages.ts';

describe('packages', () => {
  it('reads one name a line and leaves comments and blanks', () => {
    expect(parsePackages('# head\na\n\n b # why\nlibstdc++6\n')).toEqual(['a', 'b', 'libstdc++6']);
  });
  it.each([
    ['installed', 'ii  a  1 amd64 x', []],
    ['installed for an architecture', 'ii  a:amd64  1 amd64 x', []],
    ['removed with its configuration left', 'rc  a  1 amd64 x', ['a']],
    ['half installed', 'iF  a  1 amd64 x', ['a']],
    ['unknown', '', ['a']],
    ['a namesake', 'ii  a-extra  1 amd64 x', ['a']],
  ])('tells what is missing when a package is %s', (_case, status, expected) => {
    expect(listMissing(['a'], `Desired=Unknown/Install\n${status}\n`)).toEqual(expected);
  });
  it('waits for a lock that somebody else holds', () => {
    expect(formatInstall(['a', 'b']).join(' ')).toMatch(/DPkg::Lock::Timeout=\d+ .*a b$/);
  });
});

describe('binaries', () => {
  it('links the version that go.mod requires', () => {
    const text = readFileSync(join(import.meta.dirname, 'kubernetes/go.mod'), 'utf8');
    expect(text).toContain(`require k8s.io/kubernetes ${KUBERNETES_VERSION}\n`);
  });
  it('sets version, major and minor, without which the programs refuse each other', () => {
    const flags = formatLinkerFlags('v1.35.4');
    expect(flags).toContain('version.gitVersion=v1.35.4');
    expect(flags).toContain('version.gitMajor=1');
    expect(flags).toContain('version.gitMinor=35');
  });
});
