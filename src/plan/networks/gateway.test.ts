import { describe, expect, it } from 'vitest';
import { chooseGateway, type GatewayCandidate, parseGatewayNodes } from './gateway.ts';

describe('gatewayNode', () => {
  it.each([
    ['n1', ['n1']],
    ['n2, n1 ,n2', ['n2', 'n1']],
    ['n1:172.18.0.2, n2:fd00::2', ['n1', 'n2']],
    ['node-1.example.org,', ['node-1.example.org']],
  ])('%s', (text, nodes) => {
    const parsed = parseGatewayNodes(text);
    expect(parsed.ok && parsed.value.map(({ node }) => node)).toEqual(nodes);
  });

  it('has an end', () => {
    const text = Array.from({ length: 65 }, (_, index) => `n${index}`).join();
    expect(parseGatewayNodes(text)).toMatchObject({ problem: { reason: 'InvalidGateway' } });
  });
});

describe('the active gateway', () => {
  const good: GatewayCandidate = { ready: true, chassis: true, ips: ['100.64.0.3'] };
  const choose = (...candidates: GatewayCandidate[]) =>
    chooseGateway(
      candidates.map((_, index) => String(index)),
      (node) => candidates[Number(node)] ?? good,
    )?.node;

  it.each<[string, GatewayCandidate[], string | undefined]>([
    ['the first of the list', [good, good], '0'],
    ['the next when the node is not ready', [{ ...good, ready: false }, good], '1'],
    ['the next when its chassis is gone', [{ ...good, chassis: false }, good], '1'],
    ['the next when it has not joined', [{ ...good, ips: [] }, good], '1'],
    [
      'none',
      [
        { ...good, ready: false },
        { ...good, chassis: false },
      ],
      undefined,
    ],
  ])('is %s', (_cause, candidates, expected) => {
    expect(choose(...candidates)).toBe(expected);
  });
});
