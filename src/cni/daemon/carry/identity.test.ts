import { describe, expect, it } from 'vitest';
import { createIdentity, formatIntroduction, parseIntroduction } from './identity.ts';

const SUBJECT = { portUid: '5f0c3c0e-8a0c-4a39-9d5b-0c2f1f4b7a11', podUid: 'pod-1', source: 'a', target: 'b' };
const a = createIdentity();
const b = createIdentity();

describe('the key of a session', () => {
  it('is the same on both ends, and 32 bytes', () => {
    const key = a.derivePsk(SUBJECT, 'source', b.publicKey);
    expect(key).toHaveLength(32);
    expect(b.derivePsk(SUBJECT, 'target', a.publicKey)).toEqual(key);
  });

  it.each([
    ['another port', { portUid: 'other' }],
    ['another target launcher', { podUid: 'other' }],
    ['another source node', { source: 'c' }],
    ['another target node', { target: 'c' }],
    ['the nodes the other way round', { source: 'b', target: 'a' }],
    ['names that only look the same together', { source: 'a","b', target: '' }],
  ])('is another one for %s', (_cause, change) => {
    const key = a.derivePsk(SUBJECT, 'source', b.publicKey);
    expect(a.derivePsk({ ...SUBJECT, ...change }, 'source', b.publicKey)).not.toEqual(key);
  });

  it('is another one for the other role, and for a third key', () => {
    const key = a.derivePsk(SUBJECT, 'source', b.publicKey);
    expect(a.derivePsk(SUBJECT, 'target', b.publicKey)).not.toEqual(key);
    expect(createIdentity().derivePsk(SUBJECT, 'target', a.publicKey)).not.toEqual(key);
  });

  it.each([
    ['no key', ''],
    ['too short', 'AAAA'],
    ['too long', 'A'.repeat(44)],
    ['another alphabet', `${'A'.repeat(42)}+`],
    ['the point of order one', Buffer.alloc(32).toString('base64url')],
    [
      'a point of order eight',
      Buffer.from('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'hex').toString('base64url'),
    ],
  ])('is none with a peer key that is %s', (_cause, key) => {
    expect(a.derivePsk(SUBJECT, 'source', key)).toBeUndefined();
  });

  it('is new at every start', () => {
    expect(createIdentity().publicKey).not.toBe(createIdentity().publicKey);
  });
});

describe('the introduction', () => {
  const keys = { source: a.publicKey, target: b.publicKey };
  const text = formatIntroduction(SUBJECT, keys);

  it('names port, launcher and both keys, and fits into an identity of TLS', () => {
    expect(parseIntroduction(text)).toEqual({
      portUid: SUBJECT.portUid,
      podUid: 'pod-1',
      sourceKey: expect.stringMatching(/^[0-9a-f]{16}$/),
      targetKey: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    const long = { ...SUBJECT, portUid: 'p'.repeat(64), podUid: 'q'.repeat(64) };
    expect(formatIntroduction(long, keys).length).toBeLessThanOrEqual(256);
    expect(parseIntroduction(formatIntroduction(long, keys))).toMatchObject({ portUid: long.portUid });
  });

  it.each([
    ['nothing', ''],
    ['another protocol', text.replace('/1', '/2')],
    ['a word too many', `${text} x`],
    ['a word too few', text.slice(0, text.lastIndexOf(' '))],
    ['a newline at its end', `${text}\n`],
    ['a UID with a path in it', text.replace('pod-1', '../x')],
    ['a UID that is too long', text.replace('pod-1', 'p'.repeat(65))],
    ['a digest in capitals', text.toUpperCase().replace('MOORING-CARRY', 'mooring-carry')],
    ['a prototype', '__proto__'],
  ])('is not read from %s', (_cause, wrong) => {
    expect(parseIntroduction(wrong)).toBeUndefined();
  });
});
