import { describe, expect, it } from 'vitest';
import { carrierNameOf, formatNetworks, formatVm, MACVLAN, macvtapOf, podNameOf, ROLES, vmNameOf } from './objects.ts';
import { chooseNodes, pickByRole } from './stage.ts';

type Vm = {
  metadata: { name: string };
  spec: { template: { spec: { domain: { devices: { interfaces: object[] } } } } };
};

describe('VMs of different bindings', () => {
  it('differ in the binding and in nothing else', () => {
    const [bridge, tap] = (['bridge', 'managedTap'] as const).map((binding) => {
      const vm = formatVm(binding, 'target', 'node2') as Vm;
      const [nic] = vm.spec.template.spec.domain.devices.interfaces.splice(0);
      return { nic, rest: { ...vm, metadata: undefined } };
    });
    expect(bridge?.rest).toEqual(tap?.rest);
    expect([bridge?.nic, tap?.nic]).toEqual([
      { name: 'default', bridge: {} },
      { name: 'default', binding: { name: 'managedtap' } },
    ]);
  });
});

describe('names and addresses', () => {
  it('are such as Kubernetes takes, and each is used once', () => {
    const names = ROLES.flatMap((role) => [podNameOf(role), carrierNameOf(role), vmNameOf('managedTap', role)]);
    for (const name of names) expect(name).toMatch(/^[a-z0-9-]+$/);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(ROLES.map((role) => macvtapOf(role).mac)).size).toBe(ROLES.length);
  });

  it('of guests on macvtap are none that the subnet gives to pods', () => {
    const subnets = formatNetworks() as { metadata: { name: string }; spec: { excludeIps?: string[] } }[];
    const [range = ''] = subnets.find(({ metadata }) => metadata.name === MACVLAN.subnet)?.spec.excludeIps ?? [];
    const [first = 0, last = 0] = range.split('..').map((ip) => Number(ip.split('.')[3]));
    for (const role of ROLES) {
      const number = Number(macvtapOf(role).ip.split('.')[3]);
      expect(number >= first && number <= last).toBe(true);
    }
  });
});

describe('where the parts are played', () => {
  const node = (name: string) => ({ name }) as Parameters<typeof chooseNodes>[0][number];

  it('is away from the node of the databases, two of them together and one apart', () => {
    const { target, sameNode, twoNodes } = chooseNodes(['a', 'b', 'c'].map(node));
    expect([target.name, sameNode.name, twoNodes.name]).toEqual(['b', 'b', 'c']);
  });

  it('is refused with a single node', () => {
    expect(() => chooseNodes([node('a')])).toThrow('two nodes are needed, the lab has 1');
  });

  it('is refused when somebody is missing', () => {
    const pods = ROLES.slice(1).map((role) => ({ name: podNameOf(role) }));
    expect(() => pickByRole(pods, podNameOf)).toThrow('there is no pod-target');
  });
});
