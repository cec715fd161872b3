import { describe, expect, it } from 'vitest';
import { formatFullName, listStale, parseImageList } from './load.ts';
import { deriveKey } from './recipes.ts';
import { deriveTemplateKey } from './template.ts';

const LIST = `REF                     TYPE                                       DIGEST      SIZE     PLATFORMS   LABELS
docker.io/mooring/ovn:dev application/vnd.oci.image.manifest.v1+json sha256:aa  180.4 MiB linux/amd64 -
lab.local/pause:1       application/vnd.oci.image.manifest.v1+json sha256:bb  1 KiB    linux/amd64 -
`;
const image = (name: string, digest: string) => ({ name, manifest: { mediaType: 'm', digest, size: 1 }, blobs: [] });

describe('parseImageList', () => {
  it('reads names and digests', () => {
    expect([...parseImageList(LIST)]).toEqual([
      ['docker.io/mooring/ovn:dev', 'sha256:aa'],
      ['lab.local/pause:1', 'sha256:bb'],
    ]);
  });
  it('reads an empty list', () => {
    expect(parseImageList('REF TYPE DIGEST SIZE PLATFORMS LABELS\n').size).toBe(0);
  });
});

describe('listStale', () => {
  it.each([
    ['there under the same digest', image('mooring/ovn:dev', 'sha256:aa'), 0],
    ['there under another digest', image('mooring/ovn:dev', 'sha256:cc'), 1],
    ['not there', image('mooring/mooring:dev', 'sha256:aa'), 1],
  ])('tells whether an image is to be sent that is %s', (_case, wanted, expected) => {
    expect(listStale([wanted], parseImageList(LIST))).toHaveLength(expected);
  });
});

describe('formatFullName', () => {
  it.each([
    ['mooring/ovn:dev', 'docker.io/mooring/ovn:dev'],
    ['lab.local/pause:1', 'lab.local/pause:1'],
    ['localhost/x:1', 'localhost/x:1'],
    ['host:5000/x:1', 'host:5000/x:1'],
  ])('writes %s as containerd does', (name, expected) => {
    expect(formatFullName(name)).toBe(expected);
  });
});

describe('keys', () => {
  it('change with every input and with its place', () => {
    const keys = [deriveKey('t', 'a', 'b'), deriveKey('t', 'b', 'a'), deriveKey('t', 'ab'), deriveKey('u', 'a', 'b')];
    expect(new Set(keys).size).toBe(4);
    expect(deriveKey('t', 'a', 'b')).toBe(keys[0]);
  });
  it('of the template change with a layer and with containerd', () => {
    const keys = [deriveTemplateKey('1', ['a']), deriveTemplateKey('2', ['a']), deriveTemplateKey('1', ['b'])];
    expect(new Set(keys).size).toBe(3);
  });
});
