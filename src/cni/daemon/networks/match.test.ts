import { describe, expect, test } from 'vitest';
import { matchNetworks } from '../../../plan/requests/match-networks.ts';
import { readSelected } from './selected.ts';
import { need } from './tasks.ts';

/** `nad@interface`, as the short form has it. */
const present = (text: string) =>
  text.split(',').flatMap((part) => {
    const [nad = '', ifname = ''] = part.split('@');
    return nad === '' ? [] : [{ nad: `shop/${nad}`, ifname }];
  });
const run = (list: string, attached: string) => {
  const { wanted, detach } = matchNetworks(need(readSelected(list, 'shop')), present(attached));
  return {
    keep: wanted.flatMap((item) => (item.present === undefined ? [] : [item.present.ifname])).join(),
    attach: wanted
      .flatMap((item) => (item.present === undefined ? [`${item.selected.name}@${item.selected.interface}`] : []))
      .join(),
    detach: detach.map(({ ifname }) => ifname).join(),
  };
};

describe('a list of networks and what is attached', () => {
  test.each([
    ['nothing and nothing', '', '', { keep: '', attach: '', detach: '' }],
    ['everything new', 'a,b@x', '', { keep: '', attach: 'a@net1,b@x', detach: '' }],
    ['everything there', 'a,b@x', 'a@net1,b@x', { keep: 'net1,x', attach: '', detach: '' }],
    ['everything gone', '', 'a@net1,b@x', { keep: '', attach: '', detach: 'net1,x' }],
    ['the middle gone', 'a,c', 'a@net1,b@net2,c@net3', { keep: 'net1,net3', attach: '', detach: 'net2' }],
    [
      'the middle gone, all of one network',
      'a,a',
      'a@net1,b@net2,a@net3',
      { keep: 'net1,net3', attach: '', detach: 'net2' },
    ],
    ['one of two of a network gone', 'a', 'a@net1,a@net2', { keep: 'net1', attach: '', detach: 'net2' }],
    ['the order turned', 'b,a', 'a@net1,b@net2', { keep: 'net2,net1', attach: '', detach: '' }],
    ['a new one in front', 'n,a', 'a@net1', { keep: 'net1', attach: 'n@net2', detach: '' }],
    ['a new one whose place is taken', 'a,n', 'a@net2', { keep: 'net2', attach: 'n@net1', detach: '' }],
    ['another network under the same name', 'b@x', 'a@x', { keep: '', attach: 'b@x', detach: 'x' }],
    ['a named one and an unnamed one of a network', 'a@x,a', 'a@net1,a@x', { keep: 'x,net1', attach: '', detach: '' }],
    ['a name given to what had none', 'a@x', 'a@net1', { keep: '', attach: 'a@x', detach: 'net1' }],
    ['the name taken from what had one', 'a', 'a@x', { keep: 'x', attach: '', detach: '' }],
    ['an unnamed one beside a named net1', 'b@net1,a', '', { keep: '', attach: 'b@net1,a@net2', detach: '' }],
    ['the network of another namespace', 'other/a', 'a@net1', { keep: '', attach: 'a@net1', detach: 'net1' }],
  ])('%s', (_cause, list, attached, expected) => {
    expect(run(list, attached)).toEqual(expected);
  });

  test('applied to its own outcome changes nothing more', () => {
    for (const list of ['a,b,c', 'c,b', 'a,a,b@x', 'b@x,a', 'b,a@net4']) {
      const { wanted } = matchNetworks(need(readSelected(list, 'shop')), present('a@net1,b@net2,c@net3,b@x'));
      const now = wanted.map(({ selected }) => ({ nad: `shop/${selected.name}`, ifname: selected.interface }));
      const again = matchNetworks(need(readSelected(list, 'shop')), now);
      expect(again.detach).toEqual([]);
      expect(again.wanted.every((item) => item.present !== undefined)).toBe(true);
      expect(new Set(now.map(({ ifname }) => ifname)).size).toBe(now.length);
    }
  });
});
