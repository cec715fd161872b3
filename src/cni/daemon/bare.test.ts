import { describe, expect, test } from 'vitest';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import type { Job } from '../../netlink/jobs.ts';
import { add } from './add.ts';
import { check } from './check.ts';
import { createFakeWorld, REQUEST } from './testing/fake-context.ts';

/** The world of a launcher whose guest is bridged, with the jobs that its links are given. */
function createLauncher({ enableDHCP }: { enableDHCP: boolean }) {
  const world = createFakeWorld();
  const { port, subnet } = world;
  const owner = { kind: 'VirtualMachine', name: 'db', uid: 'vm1' } as const;
  world.port = { ...port, spec: { ...port?.spec, owner, nic: 'default', binding: 'bridge' } } as LogicalPort;
  const serve = (served: boolean) => {
    world.subnet = { ...subnet, spec: { ...subnet?.spec, enableDHCP: served } } as Subnet;
  };
  serve(enableDHCP);
  const jobs: Job[] = [];
  const run: typeof world.context.links.run = (job) => {
    jobs.push(job);
    return world.context.links.run(job);
  };
  const context = { ...world.context, links: { run } };
  const last = (kind: Job['kind']) => jobs.findLast((job) => job.kind === kind);
  return { world, context, serve, last };
}

const attach = ({ context }: ReturnType<typeof createLauncher>) => add(context, REQUEST, new AbortController().signal);
const BARE = { addresses: [], routes: [] };
const USUAL = { addresses: ['10.16.0.5/16'], routes: [{ dst: '0.0.0.0/0', gw: '10.16.0.1' }] };

describe("a launcher's link where OVN's DHCP serves the guest", () => {
  test('has no address, while the runtime is told the address and OVS has it too', async () => {
    const launcher = createLauncher({ enableDHCP: true });
    const attached = await attach(launcher);
    expect(launcher.last('attachVeth')).toMatchObject(BARE);
    expect(attached).toMatchObject({ ips: [{ cidr: '10.16.0.5/16' }], routes: USUAL.routes });
    expect([...launcher.world.ports.values()]).toMatchObject([{ ips: ['10.16.0.5'] }]);
  });

  test('is what CHECK and a repeated ADD look for', async () => {
    const launcher = createLauncher({ enableDHCP: true });
    const first = await attach(launcher);
    await check(launcher.context, REQUEST);
    expect(launcher.last('checkVeth')).toMatchObject(BARE);
    expect(await attach(launcher)).toEqual(first);
    expect(launcher.last('checkVeth')).toMatchObject(BARE);
    expect(launcher.world.entries.get('c1/eth0')).toMatchObject({ bare: true });
  });

  test.each([
    ['on', false, USUAL],
    ['off', true, BARE],
  ])('stays as it was made when the DHCP is switched %s under a running guest', async (_cause, before, made) => {
    const launcher = createLauncher({ enableDHCP: before });
    await attach(launcher);
    launcher.serve(!before);
    await check(launcher.context, REQUEST);
    expect(launcher.last('checkVeth')).toMatchObject(made);
    await attach(launcher);
    expect(launcher.last('checkVeth')).toMatchObject(made);
    expect(launcher.world.steps.filter((step) => step === 'links.attachVeth')).toHaveLength(1);
  });
});

test("a launcher whose guest KubeVirt's server serves has the address on its link", async () => {
  const launcher = createLauncher({ enableDHCP: false });
  await attach(launcher);
  expect(launcher.last('attachVeth')).toMatchObject(USUAL);
  expect(launcher.world.entries.get('c1/eth0')).not.toHaveProperty('bare');
});
