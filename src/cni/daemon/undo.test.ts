import { expect, test } from 'vitest';
import { createRecordingLogger } from '../../kube/testing/recording-logger.ts';
import { createUndo } from './undo.ts';

test('what was acquired last is taken back first', async () => {
  const order: string[] = [];
  const undo = createUndo(createRecordingLogger());
  for (const name of ['journal', 'veth', 'ovs']) undo.add(name, async () => void order.push(name));
  expect(await undo.run()).toEqual([]);
  expect(order).toEqual(['ovs', 'veth', 'journal']);
});

test('one that fails does not keep the others back, and they are told', async () => {
  const log = createRecordingLogger();
  const undo = createUndo(log);
  const told: string[] = [];
  undo.add('journal', async (failed) => void told.push(...failed));
  undo.add('veth', () => Promise.reject(new Error('busy')));
  expect(await undo.run()).toEqual(['veth']);
  expect(told).toEqual(['veth']);
  expect(log.lines).toEqual([
    expect.objectContaining({ level: 'warn', fields: expect.objectContaining({ what: 'veth' }) }),
  ]);
});

test('a second run has nothing left to take back', async () => {
  const times: string[] = [];
  const undo = createUndo(createRecordingLogger());
  undo.add('once', async () => void times.push('once'));
  await undo.run();
  await undo.run();
  expect(times).toHaveLength(1);
});
