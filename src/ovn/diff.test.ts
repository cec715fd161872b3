import { describe, expect, it } from 'vitest';
import { diffColumns } from './diff.ts';
import { type Logical_Switch_PortRow, NB } from './schema/nb.gen.ts';

const ROW: Logical_Switch_PortRow = {
  _uuid: '01234567-89ab-4def-8123-456789abcdef',
  addresses: ['a', 'b'],
  dhcpv4_options: undefined,
  dhcpv6_options: undefined,
  dynamic_addresses: 'x',
  enabled: undefined,
  external_ids: new Map(),
  ha_chassis_group: undefined,
  mirror_rules: [],
  name: 'p',
  options: new Map([['k', 'v']]),
  parent_name: undefined,
  peer: undefined,
  port_security: [],
  tag: undefined,
  tag_request: undefined,
  type: '',
  up: true,
};

describe('diffColumns', () => {
  it.each([
    ['nothing wanted', {}],
    ['the same', { name: 'p', type: '' }],
    ['a set in another order', { addresses: ['b', 'a'] }],
    ['a set with a repetition', { addresses: ['a', 'b', 'a'] }],
    ['an equal map', { options: new Map([['k', 'v']]) }],
    ['an optional that is not there', { dhcpv4_options: undefined }],
  ])('%s is no difference', (_name, wanted) => {
    expect(diffColumns(NB.Logical_Switch_Port, ROW, wanted)).toBeUndefined();
  });

  it.each([
    ['another scalar', { type: 'router' }],
    ['a set with one more', { addresses: ['a', 'b', 'c'] }],
    ['an empty set', { addresses: [] }],
    ['another value in a map', { options: new Map([['k', 'w']]) }],
    ['another key in a map', { options: new Map([['l', 'v']]) }],
    ['an optional that is to be there', { dhcpv4_options: 'row_1' }],
    ['an optional that is to go', { dynamic_addresses: undefined }],
  ])('%s is the only difference', (_name, wanted) => {
    expect(diffColumns(NB.Logical_Switch_Port, ROW, { name: 'p', ...wanted })).toEqual(wanted);
  });

  it('refuses a column that the table does not have', () => {
    const wanted = { nonsense: 1n } as object;
    expect(() => diffColumns(NB.Logical_Switch_Port, ROW, wanted)).toThrow('has no column nonsense');
  });
});
