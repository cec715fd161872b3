import { describe, expect, it } from 'vitest';
import { formatGroupName, type GroupSpec, makeGroup } from '../../plan/policies/groups.ts';
import { createGroupIndex } from './group-index.ts';

const group = (spec: Partial<GroupSpec>) => makeGroup('c', { namespaces: 'a', pods: [], ...spec });
const OWN = group({});
const OTHER = group({ namespaces: 'b' });
const TEAM = group({ namespaces: [{ key: 'team', operator: 'In', values: ['x'] }] });
const ALL = group({ namespaces: [] });

function createScene() {
  const orphans: string[] = [];
  const index = createGroupIndex((id) => void orphans.push(id));
  return { index, orphans };
}

describe('the groups that policies speak of', () => {
  it('are there as long as one policy speaks of them', () => {
    const { index, orphans } = createScene();
    index.set('a/one', [OWN, TEAM]);
    index.set('a/two', [OWN]);
    expect(index.list()).toEqual([OWN, TEAM]);
    index.set('a/one', []);
    expect(index.list()).toEqual([OWN]);
    expect(orphans).toEqual([TEAM.id]);
    index.set('a/two', []);
    expect(index.list()).toEqual([]);
    expect(orphans).toEqual([TEAM.id, OWN.id]);
  });

  it('are none of a policy that never was', () => {
    const { index, orphans } = createScene();
    index.set('a/one', []);
    expect([index.list(), orphans]).toEqual([[], []]);
  });

  it('change with their policy, and what stays is not told as gone', () => {
    const { index, orphans } = createScene();
    index.set('a/one', [OWN, TEAM]);
    index.set('a/one', [TEAM, OTHER]);
    expect(orphans).toEqual([OWN.id]);
    expect(index.find(OWN.id)).toBeUndefined();
    expect(index.find(OTHER.id)).toEqual(OTHER);
  });

  it('are found by the name of their port group', () => {
    const { index } = createScene();
    index.set('a/one', [OWN]);
    expect(index.findByName(formatGroupName(OWN.id))).toEqual(OWN);
    expect(index.findByName('somebody_elses')).toBeUndefined();
    index.set('a/one', []);
    expect(index.findByName(formatGroupName(OWN.id))).toBeUndefined();
  });

  it('that a pod may be in are those of its namespace and those that choose namespaces', () => {
    const { index } = createScene();
    index.set('a/one', [OWN, OTHER, TEAM]);
    expect(index.listFor('a')).toEqual([OWN, TEAM]);
    expect(index.listFor('b')).toEqual([OTHER, TEAM]);
    expect(index.listFor('c')).toEqual([TEAM]);
  });

  it.each([
    ['a namespace that comes', undefined, { team: 'x' }, [TEAM, ALL]],
    ['one that goes', { team: 'x' }, undefined, [TEAM, ALL]],
    ['one that gets a label', {}, { team: 'x' }, [TEAM]],
    ['one whose other labels change', { team: 'x', a: '1' }, { team: 'x', a: '2' }, []],
    ['one that comes without the label', undefined, {}, [ALL]],
  ])('that hear of %s', (_what, before, after, expected) => {
    const { index } = createScene();
    index.set('a/one', [OWN, TEAM, ALL]);
    expect(index.listByLabels(before, after)).toEqual(expected);
  });
});
