import { describe, expect, it } from 'vitest';
import type { Interface, MigrationState, Vmi, VmiInterface } from '../objects.ts';
import { alignNics, findFreeSlot, planLink, planPlug } from './plan-plug.ts';
import type { Device, NicPlan } from './record.ts';
import { reportInterfaces } from './status.ts';
import type { Guest } from './view.ts';

const nic = (name: string, index: number, more: Partial<NicPlan> = {}): NicPlan => ({
  ...{ name, index, binding: 'bridge', podInterface: `pod-${name}`, primary: name === 'default' },
  ...{ mac: '02:00:00:00:00:01', podMac: '02:00:00:00:00:01', mtu: 1400, ipv4: [], ipv6: [], routes: [], ports: [] },
  ...more,
});
const guestWith = (...nics: NicPlan[]) => ({ record: { nics } }) as unknown as Guest;

function vmiWith(interfaces: Interface[], reported: VmiInterface[], migrationState?: Partial<MigrationState>): Vmi {
  const status = { interfaces: reported, ...(migrationState && { migrationState: migrationState as MigrationState }) };
  return { metadata: {}, spec: { domain: { devices: { interfaces } } }, status };
}

const PLAIN = { name: 'default', bridge: {} };
const HOT = { name: 'hot', bridge: {} };
const REPORTED = { name: 'hot', infoSource: 'multus-status' };

describe('a NIC of a running guest', () => {
  it('is plugged once Multus reports its pod interface', () => {
    const guest = guestWith(nic('default', 0));
    expect(planPlug(vmiWith([PLAIN, HOT], []), guest)).toBeUndefined();
    expect(planPlug(vmiWith([PLAIN, HOT], [REPORTED]), guest)).toEqual({ do: 'plug', guest, name: 'hot' });
  });

  it('that was wired before a crash or a migration is plugged, and one that QEMU has is left alone', () => {
    const vmi = vmiWith([PLAIN, HOT], [REPORTED]);
    expect(planPlug(vmi, guestWith(nic('default', 0), nic('hot', 1, { plugged: false })))).toMatchObject({
      do: 'plug',
    });
    expect(planPlug(vmi, guestWith(nic('default', 0), nic('hot', 1)))).toBeUndefined();
  });

  it('whose state is absent is unplugged, whatever Multus reports', () => {
    const guest = guestWith(nic('default', 0), nic('hot', 1));
    const absent = { ...HOT, state: 'absent' };
    for (const reported of [[], [REPORTED]]) {
      expect(planPlug(vmiWith([PLAIN, absent], reported), guest)).toMatchObject({ do: 'unplug', nic: { name: 'hot' } });
    }
    expect(planPlug(vmiWith([PLAIN, absent], [REPORTED]), guestWith(nic('default', 0)))).toBeUndefined();
  });

  it.each([
    [{ migrationUid: 'u' }, undefined],
    [{ migrationUid: 'u', endTimestamp: 'x' }, undefined],
    [{ migrationUid: 'u', completed: true }, 'plug'],
    [{ migrationUid: 'u', failed: true }, 'plug'],
  ])('with migration state %j: %s', (state, wanted) => {
    expect(planPlug(vmiWith([PLAIN, HOT], [REPORTED], state), guestWith(nic('default', 0)))?.do).toBe(wanted);
  });
});

describe('the link of a NIC', () => {
  const running = (state: string | undefined, migrationState?: Partial<MigrationState>): Vmi => {
    const vmi = vmiWith([state === undefined ? HOT : { ...HOT, state }], [REPORTED], migrationState);
    return { ...vmi, status: { ...vmi.status, phase: 'Running' } };
  };
  const [up, down] = [nic('hot', 1), nic('hot', 1, { device: { linkDown: true } })];

  it.each<[string, string | undefined, NicPlan, boolean | undefined]>([
    ['is put down', 'down', up, true],
    ['is put up', 'up', down, false],
    ['is put up where the VMI says nothing, whoever put it down', undefined, down, false],
    ['stays down', 'down', down, undefined],
    ['stays up', 'up', up, undefined],
    ['stays up where the VMI says nothing', undefined, up, undefined],
    ['is left alone while the guest has not got the NIC', 'down', { ...up, plugged: false }, undefined],
    ['is left alone when the VMI has no such NIC', 'down', { ...up, name: 'other' }, undefined],
  ])('%s', (_what, state, one, wanted) => {
    const action = planLink(running(state), guestWith(one));
    expect(action).toEqual(
      wanted === undefined ? undefined : { do: 'link', guest: guestWith(one), nic: one, down: wanted },
    );
  });

  it('waits until the VMI runs, and for a migration to end', () => {
    const vmi = running('down');
    expect(planLink({ ...vmi, status: { ...vmi.status, phase: 'Scheduled' } }, guestWith(up))).toBeUndefined();
    expect(planLink(running('down', { migrationUid: 'u' }), guestWith(up))).toBeUndefined();
    expect(planLink(running('down', { migrationUid: 'u', completed: true }), guestWith(up))).toMatchObject({
      down: true,
    });
  });
});

describe('the machine that waits for a guest', () => {
  it('has the NICs of the source in their slots, and what is new outside of it', () => {
    const source = [nic('default', 0), nic('late', 2), nic('wired', 3, { plugged: false })];
    const target = [nic('default', 0), nic('new', 1), nic('late', 2), nic('wired', 3)];
    const aligned = alignNics(target, source).map(({ name, index, plugged }) => [name, index, plugged !== false]);
    expect(aligned).toEqual([
      ['default', 0, true],
      ['late', 2, true],
      ['new', 1, false],
      ['wired', 3, false],
    ]);
  });

  it('has the devices that the guest has, whatever the VMI asks for by now', () => {
    const device: Device = { model: 'e1000e', mtu: 1300, linkDown: true };
    const source = [nic('default', 0, { device }), nic('a', 1)];
    const target = [nic('default', 0), nic('a', 1, { device: { linkDown: true } }), nic('new', 2, { device })];
    const aligned = alignNics(target, source);
    expect(aligned.map((one) => one.device)).toEqual([device, undefined, device]);
  });

  it('that boots has all that the VMI asks for', () => {
    const nics = [nic('default', 0), nic('a', 1)];
    expect(alignNics(nics, undefined)).toEqual(nics);
  });

  it('has room for a NIC where one was taken out, and for no more than its slots', () => {
    expect(findFreeSlot([nic('default', 0), nic('b', 2)])).toBe(1);
    const full = Array.from({ length: 8 }, (_, index) => nic(`n${index}`, index));
    expect(() => findFreeSlot(full)).toThrow(RangeError);
  });
});

describe('what the handler reports', () => {
  it('is the link and the queues of the device', () => {
    const [reported] = reportInterfaces([], [nic('default', 0, { device: { linkDown: true, queues: 4 } })]);
    expect(reported).toMatchObject({ linkState: 'down', queueCount: 4 });
    expect(reportInterfaces([], [nic('default', 0)])).toMatchObject([{ linkState: 'up', queueCount: 1 }]);
  });

  it('leaves a NIC that Multus reports and the guest has not as Multus says', () => {
    const known = [
      { name: 'hot', podInterfaceName: 'podx', infoSource: 'domain, multus-status', mac: 'm', queueCount: 1 },
    ];
    expect(reportInterfaces(known, [nic('hot', 1, { plugged: false })])).toEqual([
      { name: 'hot', podInterfaceName: 'podx', infoSource: 'multus-status' },
    ]);
  });

  it('drops a NIC that neither has', () => {
    expect(reportInterfaces([{ name: 'hot', podInterfaceName: 'podx' }], [])).toEqual([]);
    expect(reportInterfaces([{ name: 'hot', infoSource: 'domain' }], [])).toEqual([]);
  });
});
