import { describe, expect, it } from 'vitest';
import { annotate, makeSpec, type Nics } from '../../test/operator/guest.ts';
import { COLLECTIONS, until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import { CONFIGURE_GUEST, NETWORK_CONFIG } from '../api/annotations.ts';
import { parseNetworkConfig } from '../api/network-config.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import type { KubeObject } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';
import type { SeenRequest } from '../kube/testing/fake-api-server.ts';

/** Guests that are configured without DHCP: what the operator tells their VMIs, and when. */
const { stage, cast, guest } = useStage();

const ASKED = { [CONFIGURE_GUEST]: 'true' };
const TWO: Nics = { default: undefined, side: 'red' };

const findVmi = () => stage.api.storage.get(COLLECTIONS.vmis, 'a/db');
const findText = () => findVmi()?.metadata?.annotations?.[NETWORK_CONFIG];

function readTold() {
  const parsed = parseNetworkConfig(findText() ?? '');
  return parsed.ok ? parsed.config.nics : [];
}

const whenTold = (nics: number) =>
  eventually('the guest told', () => (readTold().length === nics ? readTold() : undefined));

/** KubeVirt makes the VMI with its template's annotations, and then the launcher. */
function makeVmi(nics: Nics, vm?: KubeObject, annotations: Record<string, string> = ASKED): KubeObject {
  const vmi = cast.vmi('db', vm);
  cast.patch('vmis', 'a/db', { metadata: { annotations }, spec: makeSpec(nics) });
  return vmi;
}

const isTelling = ({ verb, collection }: SeenRequest): boolean => verb === 'patch' && collection === COLLECTIONS.vmis;
const namesLauncher = ({ collection, body }: SeenRequest): boolean =>
  collection === COLLECTIONS.ports && ((body as Partial<LogicalPort> | undefined)?.spec?.attachments ?? []).length > 0;

/** The first of each kind among all requests so far. */
function listFirst(): { told: number; attached: number } {
  const { requests } = stage.api;
  return { told: requests.findIndex(isTelling), attached: requests.findIndex(namesLauncher) };
}

const whenAttached = (nic: string) =>
  eventually(`${nic} attached`, () => guest.findPort(nic)?.spec.attachments?.length === 1);

describe('a guest that is configured without DHCP', () => {
  it('is told of all of its NICs before any LogicalPort names its launcher', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    const vm = cast.vm('db', { spec: makeSpec(TWO), annotations: ASKED });
    await eventually('addresses', () => guest.findPort('side')?.spec.ips.length === 1);
    const vmi = makeVmi(TWO, vm);
    cast.launcher('l1', vmi, { node: 'n1', annotations: annotate(TWO) });
    const told = await whenTold(2);
    await whenAttached('default');
    await whenAttached('side');
    const ports = ['default', 'side'].map((nic) => guest.findPort(nic)?.spec);
    expect(told.map(({ name, mac }) => [name, mac])).toEqual(ports.map((spec) => [spec?.nic, spec?.mac]));
    expect(told.map(({ ips }) => ips[0]?.split('/')[0])).toEqual(ports.map((spec) => spec?.ips[0]));
    expect(told.map(({ gateways, mtu }) => [gateways, mtu])).toEqual([
      [['10.16.0.1'], 1400],
      [['172.17.0.1'], 1400],
    ]);
    const { told: first, attached } = listFirst();
    expect(first).toBeGreaterThanOrEqual(0);
    expect(first).toBeLessThan(attached);
  });

  it('is told before its port is made, when VM, VMI and launcher are all there at once', async () => {
    const vm = cast.vm('db', { annotations: ASKED });
    cast.launcher('l1', makeVmi({ default: undefined }, vm), { node: 'n1' });
    await stage.start();
    await whenTold(1);
    await whenAttached('default');
    const { told, attached } = listFirst();
    expect(told).toBeLessThan(attached);
  });

  it('is told without a VM, too', async () => {
    await stage.start();
    cast.launcher('l1', makeVmi({ default: undefined }), { node: 'n1' });
    const [nic] = await whenTold(1);
    const port = await eventually('attached', () => {
      const found = stage.findPort('a/db.default.vmi');
      return found?.spec.attachments?.length === 1 ? found : undefined;
    });
    expect(nic?.mac).toBe(port.spec.mac);
    const { told, attached } = listFirst();
    expect(told).toBeLessThan(attached);
  });

  it('is kept waiting while the API server does not take it: no port names its launcher before', async () => {
    await stage.start();
    const vm = cast.vm('db', { annotations: ASKED });
    await eventually('an address', () => guest.findPort('default')?.spec.ips.length === 1);
    const seen: SeenRequest[] = [];
    stage.api.fault = (request) => {
      if (!isTelling(request)) return undefined;
      seen.push(request);
      return { status: 503, message: 'not now' };
    };
    cast.launcher('l1', makeVmi({ default: undefined }, vm), { node: 'n1' });
    await eventually('several tries', () => seen.length > 2);
    expect(guest.findPort('default')?.spec.attachments ?? []).toEqual([]);
    stage.api.fault = undefined;
    await whenAttached('default');
    expect(readTold()).toHaveLength(1);
  });

  it.each([
    ['by missing rights', 403, 'cannot patch resource "virtualmachineinstances"', 'apply the roles'],
    ['by a webhook', 400, 'admission webhook "w" denied the request: no', 'change the admission webhook'],
  ])(
    'has its network all the same when it is refused for good %s; that is told',
    async (_cause, status, words, way) => {
      await stage.start();
      const vm = cast.vm('db', { annotations: ASKED });
      stage.api.fault = (request) => (isTelling(request) ? { status, message: words } : undefined);
      cast.launcher('l1', makeVmi({ default: undefined }, vm), { node: 'n1' });
      await guest.whenOn('vm/a/db/default', 'n1');
      await whenAttached('default');
      await eventually('the event', () => stage.events().includes('VirtualMachine/db GuestNotConfigured'));
      const [note] = (stage.api.storage.list(COLLECTIONS.events) as unknown as { reason: string; note: string }[])
        .filter(({ reason }) => reason === 'GuestNotConfigured')
        .map((event) => event.note);
      expect(note).toContain('vmi a/db');
      expect(note).toContain(way);
      stage.api.fault = undefined;
      await whenTold(1);
    },
  );

  it('is told its new address at its next start, and nothing that a tenant says instead', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    const vm = cast.vm('db', { annotations: { ...ASKED, 'ovn.kubernetes.io/ip_address': '10.16.0.50' } });
    const forged = { ...ASKED, [NETWORK_CONFIG]: '{"version":1,"nics":[]}' };
    const first = makeVmi({ default: undefined }, vm, forged);
    cast.launcher('l1', first, { node: 'n1' });
    await eventually('the first address', () => readTold()[0]?.ips[0] === '10.16.0.50/24');
    await whenAttached('default');
    const annotations = { ...ASKED, 'ovn.kubernetes.io/ip_address': '10.16.0.60' };
    cast.patch('vms', 'a/db', { spec: { template: { metadata: { annotations } } } });
    cast.setStatus('pods', 'a/l1', { phase: 'Succeeded' });
    cast.remove('vmis', 'a/db');
    await eventually('the address of the next start', () => guest.findPort('default')?.spec.ips[0] === '10.16.0.60');
    cast.launcher('l2', makeVmi({ default: undefined }, vm), { node: 'n1' });
    await eventually('the second address', () => readTold()[0]?.ips[0] === '10.16.0.60/24');
    await eventually('its launcher', () => guest.findPort('default')?.spec.attachments?.[0]?.podName === 'l2');
  });

  it('has two NICs with one MAC, by which it could not tell them apart: that is said, and the machine goes on', async () => {
    await stage.start();
    await guest.makeNetworks('red');
    const mac = '02:00:5e:00:00:07';
    const annotations = { ...ASKED, 'mooring.dev/nics': JSON.stringify({ default: { mac }, side: { mac } }) };
    const vm = cast.vm('db', { spec: makeSpec(TWO), annotations });
    cast.launcher('l1', makeVmi(TWO, vm), { node: 'n1', annotations: annotate(TWO) });
    await guest.whenOn('vm/a/db/side', 'n1');
    await eventually('the event', () => stage.events().includes('VirtualMachine/db GuestNotConfigured'));
    expect(findText()).toBeUndefined();
  });
});

describe('nobody is told', () => {
  it.each<[string, Record<string, string>]>([
    ['who does not ask', {}],
    ['who asks with another word', { [CONFIGURE_GUEST]: 'True' }],
  ])('%s', async (_cause, annotations) => {
    await stage.start();
    const vm = cast.vm('db', { annotations });
    cast.launcher('l1', makeVmi({ default: undefined }, vm, annotations), { node: 'n1' });
    await guest.whenOn('vm/a/db/default', 'n1');
    await whenAttached('default');
    expect(stage.api.requests.filter(isTelling)).toEqual([]);
  });

  it('twice the same: a turn that finds it told writes nothing', async () => {
    await stage.start();
    const vm = cast.vm('db', { annotations: ASKED });
    const vmi = makeVmi({ default: undefined }, vm);
    await whenTold(1);
    const before = stage.api.requests.filter(isTelling).length;
    cast.launcher('l1', vmi, { node: 'n1' });
    await until('its row', async () => (await stage.listLsps()).get('vm/a/db/default')?.chassis === 'n1');
    await whenAttached('default');
    expect(stage.api.requests.filter(isTelling)).toHaveLength(before);
  });
});
