import { describe, expect, it } from 'vitest';
import { type StartOptions, until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import type { KubeObject } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';

const { stage, cast } = useStage();

/** An API server whose watches go on and that answers nothing, save for the Lease, from `freeze` to `thaw`. */
function arrangeFrost() {
  let frozen: PromiseWithResolvers<void> | undefined;
  const stuck: string[] = [];
  const options: StartOptions = {
    wrapTransport: (transport) => ({
      ...transport,
      stream: (request) => transport.stream(request),
      close: () => transport.close(),
      request: async (request) => {
        if (frozen !== undefined && !request.path.includes('/leases')) {
          stuck.push(`${request.method ?? 'GET'} ${request.path}`);
          await Promise.race([frozen.promise, rejectWith(request.signal)]);
        }
        return transport.request(request);
      },
    }),
  };
  return {
    options,
    stuck,
    freeze: () => {
      frozen = Promise.withResolvers();
    },
    thaw: () => {
      frozen?.resolve();
      frozen = undefined;
    },
  };
}

const rejectWith = (signal: AbortSignal | undefined) =>
  new Promise<never>((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });

const NAME = 'vm/a/db/default';
const whenOn = (chassis: string) =>
  until(chassis, async () => (await stage.listLsps()).get(NAME)?.chassis === chassis || undefined);
const listHolders = () => stage.findPort('a/db.default.vm')?.spec.attachments?.map(({ podName }) => podName);

/** A guest on n1 whose migration to n2 has been handed over. */
async function handOver(): Promise<{ vmi: KubeObject; state: object }> {
  const vmi = cast.vmi('db', cast.vm('db'));
  cast.launcher('l1', vmi, { node: 'n1' });
  cast.setStatus('vmis', 'a/db', { phase: 'Running', nodeName: 'n1' });
  await whenOn('n1');
  const uid = cast.vmim('m', 'db').metadata.uid;
  cast.launcher('l2', vmi, { node: 'n2', job: uid ?? '' });
  await whenOn('n1,n2');
  const state = { migrationUid: uid, sourceNode: 'n1', targetNode: 'n2' };
  cast.setStatus('vmis', 'a/db', { migrationState: state });
  await eventually('both', () => listHolders()?.join() === 'l1,l2');
  await eventually('the step', () => stage.findPort('a/db.default.vm')?.status?.migration?.phase === 'Prepared');
  return { vmi, state };
}

describe('an API server that does not answer', () => {
  it('F23 roll-back reaches the rows all the same, and the rest follows', async () => {
    const frost = arrangeFrost();
    await stage.start(frost.options);
    const { state } = await handOver();
    frost.freeze();
    cast.setStatus('vmis', 'a/db', { migrationState: { ...state, failed: true } });
    await whenOn('n1');
    expect(listHolders()).toEqual(['l1', 'l2']);
    await eventually('a call that waits', () => frost.stuck.length > 0);
    frost.thaw();
    await eventually('the holder', () => listHolders()?.join() === 'l1');
    await eventually('the step', () => stage.findPort('a/db.default.vm')?.status?.migration?.phase === 'RolledBack');
  });

  it('F24 roll-back after all has been told of the move: the source is served before the API server hears of it', async () => {
    const frost = arrangeFrost();
    await stage.start(frost.options);
    const { state } = await handOver();
    const ready = { targetNodeDomainReadyTimestamp: '2026-11-21T10:48:37Z' };
    cast.setStatus('vmis', 'a/db', { migrationState: { ...state, ...ready } });
    await eventually('the new holder', () => listHolders()?.join() === 'l2');
    await eventually('the step', () => stage.findPort('a/db.default.vm')?.status?.migration?.phase === 'Activated');
    frost.freeze();
    cast.setStatus('vmis', 'a/db', { migrationState: { ...state, ...ready, failed: true } });
    await whenOn('n1');
    expect(listHolders()).toEqual(['l2']);
    frost.thaw();
    await eventually('the holder', () => listHolders()?.join() === 'l1');
  });

  it('F24 commit and roll-back overtake a turn that waits for it', async () => {
    const frost = arrangeFrost();
    await stage.start(frost.options);
    const { state } = await handOver();
    frost.freeze();
    const ready = { targetNodeDomainReadyTimestamp: '2026-11-21T10:48:37Z' };
    cast.setStatus('vmis', 'a/db', { migrationState: { ...state, ...ready } });
    await whenOn('n2');
    await eventually('a call that waits', () => frost.stuck.length > 0);
    cast.setStatus('vmis', 'a/db', { migrationState: { ...state, ...ready, failed: true } });
    await whenOn('n1');
    frost.thaw();
    await eventually('the holder', () => listHolders()?.join() === 'l1');
  });
});
