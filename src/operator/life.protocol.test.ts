import { describe, expect, it } from 'vitest';
import { COLLECTIONS, until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import type { KubeObject } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';

const { stage, cast } = useStage();

const LSP = 'vm/a/db/default';
const PORT = 'a/db.default.vm';
const findLsp = (name: string) => until(`switch port ${name}`, async () => (await stage.listLsps()).get(name));
const whenLsp = (name: string, part: string) =>
  until(`${name} with ${part}`, async () => {
    const lsp = (await stage.listLsps()).get(name);
    return lsp !== undefined && `${lsp.addresses} ${lsp.chassis}`.includes(part) ? lsp : undefined;
  });
const whenGone = (name: string) => until(`${name} gone`, async () => !(await stage.listLsps()).has(name));
const whenEvent = (text: string) => eventually(`event ${text}`, () => stage.events().includes(text));
const getAllocated = (port: string) =>
  stage.findPort(port)?.status?.conditions?.find((condition) => condition.type === 'Allocated');
const whenAllocated = (port: string, reason: string) =>
  eventually(`${port} ${reason}`, () => {
    const found = getAllocated(port);
    return found?.reason === reason ? found : undefined;
  });
const ask = (nic: object) => ({ 'mooring.dev/nics': JSON.stringify({ default: nic }) });
const askOf = (vm: string, annotations: Record<string, string>) =>
  cast.patch('vms', `a/${vm}`, { spec: { template: { metadata: { annotations } } } });

/** A VM whose guest runs on n1. */
function run(name: string, annotations: Record<string, string> = {}) {
  const vm = cast.vm(name, { annotations });
  const vmi = cast.vmi(name, vm);
  cast.launcher(`${name}-l1`, vmi, { node: 'n1' });
  cast.setStatus('vmis', `a/${name}`, { phase: 'Running', nodeName: 'n1' });
  return vm;
}

function stop(name: string) {
  cast.remove('pods', `a/${name}-l1`);
  cast.remove('vmis', `a/${name}`);
}

/** A turn of everything that came before has passed when a later pod has its port. */
async function settle(name: string) {
  cast.pod(name);
  await findLsp(`pod/a/${name}/eth0`);
}

describe('another address', () => {
  it('F38 of a stopped VM is there at once, and the old one is free', async () => {
    await stage.start();
    cast.vm('db', { annotations: ask({ ips: ['10.16.0.50'] }) });
    const before = await whenLsp(LSP, '10.16.0.50');
    askOf('db', ask({ ips: ['10.16.0.60'] }));
    const after = await whenLsp(LSP, '10.16.0.60');
    expect(after.addresses.split(' ')[0]).toBe(before.addresses.split(' ')[0]);
    expect(stage.findPort(PORT)?.spec.ips).toEqual(['10.16.0.60']);
    cast.vm('other', { annotations: ask({ ips: ['10.16.0.50'] }) });
    await whenLsp('vm/a/other/default', '10.16.0.50');
  });

  it('F38 of a running VM waits for its stop, and a condition says so', async () => {
    await stage.start();
    run('db', ask({ ips: ['10.16.0.50'] }));
    await whenLsp(LSP, 'n1');
    askOf('db', ask({ ips: ['10.16.0.60'] }));
    const condition = await whenAllocated(PORT, 'ChangePending');
    expect(condition).toMatchObject({ status: 'True', message: expect.stringContaining('10.16.0.60') });
    expect((await findLsp(LSP)).addresses).toContain('10.16.0.50');
    stop('db');
    await whenLsp(LSP, '10.16.0.60');
    await whenAllocated(PORT, 'Allocated');
  });

  it('F38 F54 that somebody else has leaves the old one, and says why without a word of other namespaces', async () => {
    await stage.start();
    stage.api.storage.create(COLLECTIONS.pods, {
      metadata: { name: 'secret', namespace: 'b', annotations: { 'ovn.kubernetes.io/ip_address': '10.16.0.60' } },
      spec: { nodeName: 'n1' },
    } as KubeObject);
    await findLsp('pod/b/secret/eth0');
    cast.vm('db', { annotations: ask({ ips: ['10.16.0.50'] }) });
    await whenLsp(LSP, '10.16.0.50');
    askOf('db', ask({ ips: ['10.16.0.60'] }));
    await whenEvent('VirtualMachine/db AddressInUse');
    const condition = await whenAllocated(PORT, 'ChangePending');
    expect(condition.message).toContain('keeps 10.16.0.50');
    expect(condition.message).not.toContain('secret');
    expect((await findLsp(LSP)).addresses).toContain('10.16.0.50');
    stage.api.storage.remove(COLLECTIONS.pods, 'b/secret');
    await whenLsp(LSP, '10.16.0.60');
  });

  it('in another subnet: the switch port moves with it', async () => {
    await stage.start();
    cast.subnet('other', { cidrBlock: '10.77.0.0/24' });
    await eventually('ready', () => stage.findSubnet('other')?.status?.conditions?.[0]?.reason === 'Ready');
    cast.vm('db');
    await whenLsp(LSP, '10.16.0.2');
    askOf('db', ask({ subnet: 'other' }));
    await whenLsp(LSP, '10.77.0.2');
    expect(stage.findPort(PORT)?.spec).toMatchObject({ subnet: 'other', ips: ['10.77.0.2'] });
    await settle('marker');
    expect((await findLsp('pod/a/marker/eth0')).addresses).toContain('10.16.0.');
  });

  it('whose owner died between the write of the port and its rows: the next operator has it, and nothing leaks', async () => {
    const first = await stage.start();
    cast.vm('db', { annotations: ask({ ips: ['10.16.0.50'] }) });
    await whenLsp(LSP, '10.16.0.50');
    await first.stop();
    cast.patch('ports', PORT, { spec: { ips: ['10.16.0.60'] } });
    askOf('db', ask({ ips: ['10.16.0.60'] }));
    await stage.start();
    await whenLsp(LSP, '10.16.0.60');
    cast.vm('other', { annotations: ask({ ips: ['10.16.0.50'] }) });
    await whenLsp('vm/a/other/default', '10.16.0.50');
  });
});

describe('a port without an address', () => {
  it('says why, has no rows, gets its address when that is free, and goes with its owner', async () => {
    await stage.start();
    cast.vm('one', { annotations: ask({ ips: ['10.16.0.50'] }) });
    await whenLsp('vm/a/one/default', '10.16.0.50');
    cast.vm('db', { annotations: ask({ ips: ['10.16.0.50'] }) });
    await whenAllocated(PORT, 'AddressInUse');
    expect(stage.findPort(PORT)).toMatchObject({ spec: { ips: [], mac: '' }, status: { phase: 'Conflict' } });
    cast.vm('third', { annotations: ask({ ips: ['10.16.0.50'] }) });
    await whenAllocated('a/third.default.vm', 'AddressInUse');
    cast.remove('vms', 'a/third');
    await eventually('the third gone', () => stage.findPort('a/third.default.vm') === undefined);
    expect([...(await stage.listLsps()).keys()]).toEqual(['vm/a/one/default']);
    cast.remove('vms', 'a/one');
    await whenLsp(LSP, '10.16.0.50');
    await whenAllocated(PORT, 'Allocated');
  });

  it('is there for a request that cannot be understood, and is filled when that is mended', async () => {
    await stage.start();
    cast.vm('db', { annotations: { 'mooring.dev/nics': 'no JSON' } });
    const condition = await whenAllocated(PORT, 'InvalidRequest');
    expect(condition.status).toBe('False');
    askOf('db', ask({ ips: ['10.16.0.70'] }));
    await whenLsp(LSP, '10.16.0.70');
  });

  it('waits with its siblings: no machine has half of its NICs', async () => {
    await stage.start();
    cast.pod('rival', { annotations: { 'ovn.kubernetes.io/ip_address': '10.16.0.50' } });
    await findLsp('pod/a/rival/eth0');
    const networks = [
      { name: 'default', pod: {} },
      { name: 'biz', multus: { networkName: 'attachnet' } },
    ];
    const interfaces = networks.map(({ name }) => ({ name, bridge: {} }));
    cast.nad('attachnet', { type: 'mooring', provider: 'attachnet.a.ovn' });
    cast.subnet('net', { cidrBlock: '172.17.0.0/24', provider: 'attachnet.a.ovn' });
    cast.vm('db', {
      annotations: ask({ ips: ['10.16.0.50'] }),
      spec: { domain: { devices: { interfaces } }, networks },
    });
    await whenAllocated(PORT, 'AddressInUse');
    await eventually('the sibling', () => getAllocated('a/db.biz.vm')?.message.includes('waits for NIC default'));
    cast.remove('pods', 'a/rival');
    await whenLsp(LSP, '10.16.0.50');
    await whenLsp('vm/a/db/biz', '172.17.0.');
  });
});

describe('a subnet that changes under live addresses', () => {
  it('F34 shrunk: the running port keeps its rows and says so; no address is changed unasked', async () => {
    await stage.start();
    run('db', ask({ ips: ['10.16.0.200'] }));
    await whenLsp(LSP, 'n1');
    cast.patch('subnets', 'default', { spec: { cidrBlock: '10.16.0.0/25' } });
    const condition = await whenAllocated(PORT, 'AddressOutsideSubnet');
    expect(condition).toMatchObject({ status: 'False', message: expect.stringContaining('10.16.0.0/25') });
    expect(stage.findPort(PORT)?.status?.phase).toBe('Conflict');
    expect((await findLsp(LSP)).addresses).toContain('10.16.0.200');
    stop('db');
    await whenLsp(LSP, 'mooring/unattached');
    await settle('marker');
    expect(stage.findPort(PORT)?.spec.ips).toEqual(['10.16.0.200']);
    askOf('db', ask({ ips: ['10.16.0.20'] }));
    await whenLsp(LSP, '10.16.0.20');
    await whenAllocated(PORT, 'Allocated');
  });

  it('with an exclusion under a live address: it stays, and is not given again afterwards', async () => {
    await stage.start();
    cast.vm('db', { annotations: ask({ ips: ['10.16.0.50'] }) });
    await whenLsp(LSP, '10.16.0.50');
    cast.patch('subnets', 'default', { spec: { excludeIps: ['10.16.0.50'] } });
    await settle('marker');
    expect((await findLsp(LSP)).addresses).toContain('10.16.0.50');
    cast.remove('vms', 'a/db');
    await whenGone(LSP);
    cast.vm('db', { annotations: ask({ ips: ['10.16.0.50'] }) });
    await whenAllocated(PORT, 'AddressReserved');
  });

  it('F35 deleted in use: ports and rows stay, and a VM starts again with its address', async () => {
    await stage.start();
    run('db');
    const before = await whenLsp(LSP, 'n1');
    await eventually('the finalizer', () => (stage.findSubnet('default')?.metadata.finalizers ?? []).length > 0);
    cast.remove('subnets', 'default');
    await whenAllocated(PORT, 'ChangePending');
    stop('db');
    await whenLsp(LSP, 'mooring/unattached');
    const [vm] = stage.api.storage.list(COLLECTIONS.vms);
    cast.launcher('l2', cast.vmi('db', vm), { node: 'n2' });
    expect((await whenLsp(LSP, 'n2')).addresses).toBe(before.addresses);
    expect(stage.findPort(PORT)?.spec.attachments).toMatchObject([{ node: 'n2', interface: 'eth0' }]);
    expect(stage.findSubnet('default')).toBeDefined();
  });
});
