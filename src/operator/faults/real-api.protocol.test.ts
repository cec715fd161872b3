import { describe, expect, it } from 'vitest';
import { makeSpec } from '../../../test/operator/guest.ts';
import { arrangeCut } from '../../../test/operator/mortal.ts';
import { at, createRealCast } from '../../../test/operator/real-objects.ts';
import { useRealStage } from '../../../test/operator/real-stage.ts';
import { listSwitchPorts } from '../../../test/operator/sentinel.ts';
import { makeSettings } from '../../../test/operator/stage.ts';
import { until } from '../../../test/ovsdb/server.ts';
import { KINDS } from '../../api/group.ts';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { audit, auditAlways, type Snapshot } from '../testing/audit.ts';

const stage = useRealStage();
const { resource, listAll } = stage;
const cast = createRealCast(stage);

async function takeSnapshot(): Promise<Snapshot> {
  await stage.nb.nb.client.transactAndSync([{ op: 'comment', comment: 'catch up' }]);
  const owners = (await Promise.all([KINDS.vm, KINDS.vmi, KINDS.pod].map((kind) => listAll(kind)))).flat();
  return {
    cluster: makeSettings().cluster,
    ports: await listAll<LogicalPort>(KINDS.logicalPort),
    subnets: await listAll<Subnet>(KINDS.subnet),
    switchPorts: listSwitchPorts(stage),
    owners: new Set(owners.flatMap(({ metadata }) => metadata?.uid ?? [])),
    claims: new Set(),
  };
}

const SPEC = makeSpec({ default: undefined });
const ask = (ip: string) => ({ 'mooring.dev/nics': JSON.stringify({ default: { ips: [ip] } }) });
const makeVm = (name: string, annotations: Record<string, string> = {}) =>
  cast.makeVm(name, { metadata: { annotations }, spec: SPEC });
const removePod = (name: string) => resource(KINDS.pod).delete(at(name), { gracePeriodSeconds: 0 });

/** KubeVirt's launcher without a guest, with the annotations of the VM's template. */
async function makeStorageOnly(name: string, ip: string) {
  await cast.makeVmi(name, SPEC);
  const annotations = { 'kubevirt.io/ephemeral-provisioning': 'true', 'ovn.kubernetes.io/ip_address': ip };
  await cast.makeLauncher(`${name}-s`, name, { annotations });
}

async function startVm(name: string) {
  if ((await resource(KINDS.vmi).find(at(name))) === undefined) await cast.makeVmi(name, SPEC);
  await cast.makeLauncher(`${name}-l`, name);
  await cast.patchVmi(name, { phase: 'Running', nodeName: 'n1' });
}

async function stopVm(name: string) {
  await removePod(`${name}-l`);
  await resource(KINDS.vmi).delete(at(name));
}

type Step = {
  readonly what: string;
  readonly run: () => Promise<unknown>;
  /** The ports that there are afterwards, as `<name> <ip>`, `*` for any, and whether they are released. */
  readonly ports: readonly string[];
};

const P1 = 'p1.eth0.pod *';
const patchVm = (name: string, ip: string) =>
  resource(KINDS.vm).patch(at(name), { spec: { template: { metadata: { annotations: ask(ip) } } } });
const removeVm = (name: string) => resource(KINDS.vm).delete(at(name));

const LIFE: readonly Step[] = [
  { what: 'a pod comes', run: () => cast.makePod('p1'), ports: [P1] },
  { what: 'a VM comes', run: () => makeVm('db', ask('10.16.0.50')), ports: ['db.default.vm 10.16.0.50', P1] },
  {
    what: 'a launcher without a guest comes',
    run: () => makeStorageOnly('db', '10.16.0.50'),
    ports: ['db-s.eth0.pod *', 'db.default.vm 10.16.0.50', P1],
  },
  { what: 'it starts', run: () => startVm('db'), ports: ['db-s.eth0.pod *', 'db.default.vm 10.16.0.50 on n1', P1] },
  {
    what: 'the one without a guest goes',
    run: () => removePod('db-s'),
    ports: ['db.default.vm 10.16.0.50 on n1', P1],
  },
  {
    what: 'another address is asked for while it runs',
    run: () => patchVm('db', '10.16.0.60'),
    ports: ['db.default.vm 10.16.0.50 on n1', P1],
  },
  {
    what: 'the pod goes and another one of its name comes',
    run: () => removePod('p1').then(() => cast.makePod('p1')),
    ports: ['db.default.vm 10.16.0.50 on n1', P1],
  },
  { what: 'the VM stops', run: () => stopVm('db'), ports: ['db.default.vm 10.16.0.60', P1] },
  {
    what: 'a VM with a policy comes',
    run: () => makeVm('kept', { ...ask('10.16.0.70'), 'mooring.dev/release-policy': 'Retain' }),
    ports: ['db.default.vm 10.16.0.60', 'kept.default.vm 10.16.0.70', P1],
  },
  {
    what: 'and goes',
    run: () => removeVm('kept'),
    ports: ['db.default.vm 10.16.0.60', 'kept.default.vm 10.16.0.70 Released', P1],
  },
  {
    what: 'its successor adopts',
    run: () => makeVm('kept', { 'mooring.dev/adopt': 'true' }),
    ports: ['db.default.vm 10.16.0.60', 'kept.default.vm 10.16.0.70', P1],
  },
  {
    what: 'a VM goes and another one of its name comes',
    run: () => removeVm('db').then(() => makeVm('db')),
    ports: ['db.default.vm *', 'kept.default.vm 10.16.0.70', P1],
  },
  { what: 'all go', run: () => Promise.all([removePod('p1'), removeVm('db'), removeVm('kept')]), ports: [] },
];

function isAsWanted({ ports, owners }: Snapshot, wanted: Step['ports']): boolean {
  const shown = ports.map(({ metadata, spec, status }) => {
    const { name } = metadata;
    const [place] = spec.owner.kind === 'Pod' ? [] : (spec.attachments ?? []).map(({ node }) => ` on ${node}`);
    const isReleased = status?.phase === 'Released' && !owners.has(spec.owner.uid);
    const ip = wanted.includes(`${name} *`) ? '*' : spec.ips.join();
    return `${name} ${ip}${place ?? ''}${isReleased ? ' Released' : ''}`;
  });
  return shown.sort().join() === [...wanted].sort().join();
}

/** An operator for the time until all is sound and `isDone`, or until it is dead. */
async function live(death: { write: number; when: 'before' | 'after' }, isDone: (snapshot: Snapshot) => boolean) {
  const cut = arrangeCut(death);
  const operator = stage.start(cut);
  let wrong: string[] = [];
  const isOver = async () => {
    if (cut.dead) return true;
    const snapshot = await takeSnapshot();
    expect(auditAlways(snapshot)).toEqual([]);
    wrong = audit(snapshot);
    return wrong.length === 0 && isDone(snapshot);
  };
  try {
    await until('a sound end', isOver, 30_000);
  } catch (error) {
    throw new Error(`last: ${wrong.join('\n')}`, { cause: error });
  } finally {
    await stage.bury(operator);
  }
  return cut.dead;
}

describe('on a real API server', () => {
  it('F01 F02 F36 F38 operators die at each of their first writes in every step of a life: nothing twice, nothing lost', async () => {
    let deaths = 0;
    for (const { run, ports } of LIFE) {
      await run();
      const isDone = (snapshot: Snapshot) => isAsWanted(snapshot, ports);
      for (let write = 1; ; write += 1) {
        const when = write % 2 === 1 ? 'after' : 'before';
        if (!(await live({ write, when }, isDone))) break;
        deaths += 1;
      }
    }
    expect(deaths).toBeGreaterThan(10);
    const { ports, switchPorts } = await takeSnapshot();
    expect(ports).toEqual([]);
    expect(switchPorts.filter(({ type }) => type === '').map(({ name }) => name)).toEqual([]);
  }, 240_000);
});
