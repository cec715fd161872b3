import { describe, expect, it } from 'vitest';
import { useSea } from '../../../test/operator/sea.ts';
import { until } from '../../../test/operator/stage.ts';
import { NO_CHASSIS } from '../../api/names.ts';

const sea = useSea(['n1', 'n2', 'n3']);

/** Every binding from now on. */
function watchBindings(): { readonly seen: ReadonlySet<string>; stop(): void } {
  const seen = new Set<string>();
  const { lsp } = sea.voyage;
  const stop = sea.fleet.bindings.onPortChange((names) => {
    if (names.has(lsp)) seen.add(sea.fleet.findBinding(lsp) ?? 'none');
  });
  return { seen, stop };
}

type Cut = 'prepared' | 'handed over' | 'activated' | 'completed';
const CUTS: readonly Cut[] = ['prepared', 'handed over', 'activated', 'completed'];

async function sailTo(cut: Cut) {
  const leg = await sea.prepare('n2');
  if (cut !== 'prepared') leg.handOver();
  if (cut === 'activated' || cut === 'completed') {
    leg.ready();
    await sea.voyage.whenAsked('n2');
    await sea.whenBound('n2 |  | up');
  }
  if (cut === 'completed') leg.complete();
  return leg;
}

describe('a node is lost', () => {
  it.each(CUTS.slice(0, 2))(
    'F21 the source, when the target is %s: the guest is lost, starts elsewhere, and the source that is back takes nothing',
    async (cut) => {
      await sea.start();
      await sailTo(cut);
      await sea.fleet.ship('n1').kill('controller', 'switch');
      sea.voyage.patchVmi({ phase: 'Failed' });
      sea.voyage.land();
      await sea.voyage.whenAsked(NO_CHASSIS);
      await sea.unplug('n2');
      sea.voyage.board('n3');
      await sea.plug('n3');
      await sea.whenBound('n3 |  | up');
      await sea.fleet.ship('n1').revive();
      await sea.fleet.sync();
      expect(sea.fleet.findBinding(sea.voyage.lsp)).toBe('n3 |  | up');
      expect(sea.voyage.asked.at(-1)).toBe('n3');
    },
  );

  it.each(CUTS.slice(2))(
    'F21 the source, when the target is %s: the target has the port, and the source that is back takes nothing',
    async (cut) => {
      await sea.start();
      const leg = await sailTo(cut);
      await sea.fleet.ship('n1').kill('controller', 'switch');
      leg.complete();
      await sea.voyage.whenAsked('n2');
      // A dead chassis cannot leave its place beside the other one: it does when it is back.
      expect(sea.fleet.findBinding(sea.voyage.lsp)).toMatch(/^n2 /);
      await sea.fleet.ship('n1').revive();
      await sea.whenBound('n2 |  | up');
      await sea.fleet.sync();
      expect(sea.fleet.findBinding(sea.voyage.lsp)).toBe('n2 |  | up');
      expect(sea.voyage.holders()).toEqual(['Source@n2']);
    },
  );

  it('F21 the source, in the moment in which the guest arrives: the target claims without its help', async () => {
    await sea.start();
    const leg = await sailTo('handed over');
    await sea.fleet.ship('n1').kill('controller', 'switch');
    leg.ready();
    await until('the target has it', async () => sea.fleet.findBinding(sea.voyage.lsp)?.startsWith('n2 ') || undefined);
    leg.complete();
    await sea.voyage.whenAsked('n2');
    await sea.fleet.ship('n1').revive();
    await sea.whenBound('n2 |  | up');
  });

  it.each(CUTS.slice(0, 2))(
    'F22 the target, when it is %s: the source alone has the port, and the target that is back takes nothing',
    async (cut) => {
      await sea.start();
      const leg = await sailTo(cut);
      await sea.fleet.ship('n2').kill('controller', 'switch');
      leg.fail();
      sea.voyage.cast.remove('pods', `a/${leg.pod}`);
      await sea.voyage.whenAsked('n1');
      expect(sea.fleet.findBinding(sea.voyage.lsp)).toMatch(/^n1 /);
      await sea.fleet.ship('n2').revive();
      await sea.whenBound('n1 |  | up');
      await sea.fleet.sync();
      expect(sea.fleet.findBinding(sea.voyage.lsp)).toBe('n1 |  | up');
      expect(sea.voyage.asked.slice(-3)).toEqual(['n1', 'n1,n2', 'n1']);
    },
  );
});

describe('a migration is aborted or fails', () => {
  it('F23 before the target is wired: back to the source alone, and the target that is wired too late is not let in', async () => {
    await sea.start();
    const bindings = watchBindings();
    const leg = sea.voyage.prepare('n2');
    await sea.voyage.whenAsked('n1,n2');
    sea.voyage.cast.remove('vmims', `a/${leg.vmim}`);
    await sea.voyage.whenAsked('n1');
    await until('no target', async () => sea.voyage.holders().join() === 'Source@n1' || undefined);
    await sea.plug('n2');
    await sea.fleet.sync();
    expect(sea.fleet.findBinding(sea.voyage.lsp)).toBe('n1 |  | up');
    bindings.stop();
    expect([...bindings.seen].filter((binding) => binding.includes('n2'))).toEqual([]);
  });

  it('F23 before the target has a node: the port never moves', async () => {
    await sea.start();
    const leg = sea.voyage.prepare();
    sea.voyage.cast.remove('pods', `a/${leg.pod}`);
    sea.voyage.cast.remove('vmims', `a/${leg.vmim}`);
    await sea.fleet.sync();
    expect(sea.voyage.asked.at(-1)).toBe('n1');
    expect(sea.voyage.asked.filter((chassis) => chassis === 'n1')).toHaveLength(1);
  });

  it('F24 after activation: the source has the port again before the target is shut out, and all of it is told', async () => {
    await sea.start();
    const leg = await sailTo('activated');
    leg.fail();
    await sea.whenBound('n1 |  | up');
    await sea.voyage.whenAsked('n1');
    expect(sea.voyage.asked.slice(-5)).toEqual(['n1,n2', 'n2,n1', 'n2', 'n1,n2', 'n1']);
    await until(
      'rolled back',
      async () => sea.stage.findPort(sea.voyage.port)?.status?.migration?.phase === 'RolledBack',
    );
    expect(sea.stage.events().filter((event) => event.includes('MigrationRolledBack'))).not.toEqual([]);
    expect(sea.voyage.holders()).toEqual(['Source@n1']);
  });

  it('F24 post-copy after activation: what runs on the target cannot go back, and the port does not', async () => {
    await sea.start();
    const leg = await sailTo('handed over');
    leg.ready({ mode: 'PostCopy' });
    await sea.voyage.whenAsked('n2');
    await sea.whenBound('n2 |  | up');
    leg.fail();
    await sea.fleet.sync();
    await until('settled', async () => sea.stage.findPort(sea.voyage.port)?.status?.migration?.phase === 'Settled');
    expect(sea.fleet.findBinding(sea.voyage.lsp)).toBe('n2 |  | up');
    expect(sea.voyage.asked.slice(-2)).toEqual(['n2,n1', 'n2']);
  });
});

describe('migrations one after the other', () => {
  it('F25 operator restarted at each step among terminal migrations and completed launchers: nothing moves but the guest', async () => {
    const first = await sea.start();
    const one = await sailTo('completed');
    await sea.voyage.whenAsked('n2');
    sea.voyage.cast.setStatus('pods', `a/${first}`, { phase: 'Succeeded' });
    await sea.unplug('n1');
    const two = await sea.prepare('n3');
    two.handOver();
    two.fail();
    await sea.voyage.whenAsked('n2');
    sea.voyage.cast.setStatus('pods', `a/${two.pod}`, { phase: 'Failed' });
    await sea.unplug('n3');
    const restart = async () => {
      const before = [...sea.voyage.asked];
      await sea.restart();
      expect(sea.voyage.asked).toEqual(before);
    };
    await restart();
    const three = await sea.prepare('n1', 'again');
    await restart();
    three.handOver();
    for (const vmim of [one.vmim, two.vmim])
      sea.voyage.cast.patch('vmims', `a/${vmim}`, { metadata: { labels: { seen: 'again' } } });
    await restart();
    sea.voyage.cast.remove('pods', `a/${first}`);
    three.ready();
    await sea.whenBound('n1 |  | up');
    await sea.voyage.whenAsked('n1');
    sea.voyage.cast.remove('pods', `a/${two.pod}`);
    await restart();
    three.complete();
    sea.voyage.cast.remove('vmims', `a/${one.vmim}`);
    await restart();
    expect(sea.voyage.asked.slice(-4)).toEqual(['n2', 'n2,n1', 'n1,n2', 'n1']);
  });

  it('K7 three in a row, old launchers ending and being deleted in the middle of the next: each step once, none back', async () => {
    let old = await sea.start();
    const nodes = ['n1', 'n2', 'n3', 'n1'];
    for (const [index, node] of nodes.slice(1).entries()) {
      const from = nodes[index] ?? '';
      const leg = await sea.prepare(node, `leg${index}`);
      leg.handOver();
      leg.ready();
      await sea.voyage.whenAsked(node);
      sea.voyage.cast.setStatus('pods', `a/${old}`, { phase: 'Succeeded' });
      await sea.unplug(from, index === 0 ? 'tap' : `leg${index - 1}`);
      leg.complete();
      if (index > 0) sea.voyage.cast.remove('pods', `a/${old}`);
      old = leg.pod;
      await sea.whenBound(`${node} |  | up`);
    }
    await sea.fleet.sync();
    const expected = ['n1', 'n1,n2', 'n2,n1', 'n2', 'n2,n3', 'n3,n2', 'n3', 'n3,n1', 'n1,n3', 'n1'];
    expect(sea.voyage.asked.slice(-expected.length)).toEqual(expected);
  });

  it('F23 the VM is deleted in the middle: its launchers keep the port until they are gone, then nothing is left', async () => {
    await sea.start();
    const leg = await sea.prepare('n2');
    leg.handOver();
    const name = sea.voyage.port.slice('a/'.length, sea.voyage.port.indexOf('.'));
    sea.voyage.cast.remove('vms', `a/${name}`);
    await sea.fleet.sync();
    expect(sea.voyage.asked.at(-1)).toBe('n1,n2');
    sea.voyage.land();
    await until('no port', async () => (sea.stage.findPort(sea.voyage.port) === undefined ? true : undefined));
    await until('no row', async () => (sea.voyage.asked.at(-1) === undefined ? true : undefined));
    await until('no binding', async () => (sea.fleet.findBinding(sea.voyage.lsp) === undefined ? true : undefined));
  });

  it('F27 two are queued and the failed target of the first lingers, wired: it never gets the port again', async () => {
    await sea.start();
    const one = await sailTo('handed over');
    one.fail();
    await sea.whenBound('n1 |  | up');
    const bindings = watchBindings();
    const two = await sea.prepare('n3');
    await sea.voyage.whenAsked('n1,n3');
    two.handOver();
    two.ready();
    await sea.whenBound('n3 |  | up');
    two.complete();
    await sea.voyage.whenAsked('n3');
    await sea.fleet.sync();
    bindings.stop();
    expect([...bindings.seen].filter((binding) => binding.includes('n2'))).toEqual([]);
    expect(sea.voyage.holders()).toEqual(['Source@n3']);
  });

  it('F27 the second one goes to the node where the failed target lingers: only the new launcher holds the port', async () => {
    await sea.start();
    const one = await sailTo('handed over');
    one.fail();
    await sea.whenBound('n1 |  | up');
    const two = sea.voyage.prepare('n2');
    await sea.voyage.whenAsked('n1,n2');
    two.handOver();
    two.ready();
    await until('one holder', async () => sea.voyage.holders().join() === 'Source@n2' || undefined);
    const [hold] = sea.stage.findPort(sea.voyage.port)?.spec.attachments ?? [];
    expect(hold?.podName).toBe(two.pod);
  });
});

describe('order', () => {
  it('F26 the target is wired before the operator knows of it: it is let in as soon as that is told, not before', async () => {
    await sea.start();
    await sea.stop();
    await sea.plug('n2');
    const leg = sea.voyage.prepare('n2');
    leg.setVmim('Pending');
    await sea.fleet.sync();
    expect(sea.fleet.findBinding(sea.voyage.lsp)).toBe('n1 |  | up');
    await sea.restart();
    await sea.whenBound('n1 | n2 | up');
    leg.handOver();
    leg.ready();
    await sea.whenBound('n2 |  | up');
    leg.complete();
    await sea.voyage.whenAsked('n2');
    expect(sea.voyage.asked.slice(-4)).toEqual(['n1', 'n1,n2', 'n2,n1', 'n2']);
  });

  it('F26 KubeVirt says everything at once: the target still goes first, the source after it', async () => {
    await sea.start();
    const leg = await sea.prepare('n2');
    leg.handOver();
    leg.complete();
    await sea.whenBound('n2 |  | up');
    await sea.voyage.whenAsked('n2');
    expect(sea.voyage.asked.slice(-3)).toEqual(['n1,n2', 'n2,n1', 'n2']);
  });
});
