import { beforeEach, describe, expect, it } from 'vitest';
import { COLLECTIONS, until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import type { IPAMClaim } from '../api/objects.ts';
import type { KubeObject } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';

const { stage, cast } = useStage();
beforeEach(() => {
  cast.nad('attachnet', { type: 'mooring', provider: 'attachnet.a.ovn' });
  cast.subnet('net', { cidrBlock: '172.17.0.0/24', provider: 'attachnet.a.ovn' });
});

const findLsp = (name: string) => until(`switch port ${name}`, async () => (await stage.listLsps()).get(name));
const whenLsp = (name: string, chassis: string) =>
  until(`${name} on ${chassis}`, async () => {
    const lsp = (await stage.listLsps()).get(name);
    return lsp?.chassis === chassis ? lsp : undefined;
  });
const getIp = ({ addresses }: { addresses: string }) => addresses.split(' ')[1] ?? '';
const whenGone = (name: string) => until(`${name} gone`, async () => !(await stage.listLsps()).has(name));
const findClaim = (name: string) =>
  (stage.api.storage.list(COLLECTIONS.ipamClaims) as unknown as IPAMClaim[]).find(
    ({ metadata }) => metadata.name === name,
  );
const whenClaim = (name: string, check: (claim: IPAMClaim) => boolean) =>
  eventually(`claim ${name}`, () => {
    const claim = findClaim(name);
    return claim !== undefined && check(claim) ? claim : undefined;
  });
const getAllocated = (port: string) =>
  stage.findPort(port)?.status?.conditions?.find((condition) => condition.type === 'Allocated');

const claim = (name: string, ips?: string[]) =>
  stage.api.storage.create(COLLECTIONS.ipamClaims, {
    metadata: { name, namespace: 'a' },
    spec: { network: 'attachnet', interface: 'net1' },
    ...(ips === undefined ? {} : { status: { ips } }),
  } as KubeObject);

const refer = (...claims: string[]) => ({
  'k8s.v1.cni.cncf.io/networks': JSON.stringify(
    claims.map((name, index) => ({
      name: 'attachnet',
      namespace: 'a',
      interface: `net${index + 1}`,
      'ipam-claim-reference': name,
    })),
  ),
});

describe('an IPAMClaim of a pod', () => {
  it('is told the address, the pod and that it was given', async () => {
    await stage.start();
    claim('c1');
    cast.pod('p1', { annotations: refer('c1') });
    const told = await whenClaim('c1', ({ status }) => status?.ips !== undefined);
    expect(told.status).toMatchObject({
      ips: ['172.17.0.2/24'],
      ownerPod: { name: 'p1' },
      conditions: [{ type: 'IPsAllocated', status: 'True', reason: 'SuccessfulAllocation' }],
    });
  });

  it('with addresses: these are given', async () => {
    await stage.start();
    claim('c1', ['172.17.0.77/24']);
    cast.pod('p1', { annotations: refer('c1') });
    expect((await findLsp('pod/a/p1/net1')).addresses).toMatch(/ 172\.17\.0\.77$/);
  });

  it('keeps the address as long as it exists; a pod of that name that refers to it has it again', async () => {
    await stage.start();
    claim('c1');
    cast.pod('p1', { annotations: refer('c1') });
    const first = await findLsp('pod/a/p1/net1');
    await whenClaim('c1', ({ status }) => status?.ips !== undefined);
    cast.remove('pods', 'a/p1');
    await whenGone('pod/a/p1/net1');
    expect(stage.findPort('a/p1.net1.pod')).toMatchObject({ spec: { ips: ['172.17.0.2'] } });
    await whenClaim('c1', ({ status }) => status?.ownerPod?.name === undefined);
    cast.pod('p1', { annotations: refer('c1') });
    expect((await findLsp('pod/a/p1/net1')).addresses).toBe(first.addresses);
    cast.remove('pods', 'a/p1');
    await whenGone('pod/a/p1/net1');
    cast.remove('ipamClaims', 'a/c1');
    await eventually('the release', () => stage.findPort('a/p1.net1.pod') === undefined);
  });

  it('goes on to a pod of another name that refers to it when its first one is gone', async () => {
    await stage.start();
    claim('c1');
    cast.pod('p1', { annotations: refer('c1') });
    const first = await findLsp('pod/a/p1/net1');
    await whenClaim('c1', ({ status }) => status?.ips !== undefined);
    cast.remove('pods', 'a/p1');
    await whenGone('pod/a/p1/net1');
    cast.pod('p2', { annotations: refer('c1') });
    expect((await findLsp('pod/a/p2/net1')).addresses.split(' ')[1]).toBe(first.addresses.split(' ')[1]);
    await whenClaim('c1', ({ status }) => status?.ownerPod?.name === 'p2');
  });

  it('goes on to its next pod before the one that is gone lets it go: nobody who waits for that address gets it', async () => {
    await stage.start();
    claim('c1');
    cast.pod('p1', { annotations: refer('c1') });
    const ip = getIp(await findLsp('pod/a/p1/net1'));
    await whenClaim('c1', ({ status }) => status?.ips !== undefined);
    const stranger = JSON.stringify([{ name: 'attachnet', ips: [ip] }]);
    for (const name of ['s1', 's2', 's3']) {
      cast.pod(name, { annotations: { 'k8s.v1.cni.cncf.io/networks': stranger } });
      await eventually('a stranger who waits', () => getAllocated(`a/${name}.net1.pod`)?.reason === 'AddressInUse');
    }
    const holders: string[] = [];
    stage.api.storage.subscribe(() => {
      const now = stage.listPorts().filter(({ spec }) => spec.ips.includes(ip));
      holders.push(now.map(({ metadata }) => metadata.name).join() || 'nobody');
    });
    for (const [last, next] of [
      ['p1', 'p2'],
      ['p2', 'p3'],
    ] as const) {
      cast.pod(next, { annotations: refer('c1') });
      await eventually('a pod that waits', () => getAllocated(`a/${next}.net1.pod`)?.reason === 'AddressInUse');
      cast.remove('pods', `a/${last}`);
      expect(getIp(await findLsp(`pod/a/${next}/net1`))).toBe(ip);
      await whenClaim('c1', ({ status }) => status?.ownerPod?.name === next);
      await eventually('the release', () => stage.findPort(`a/${last}.net1.pod`) === undefined);
    }
    expect([...new Set(holders)]).toEqual([
      'p1.net1.pod',
      'p1.net1.pod,p2.net1.pod',
      'p2.net1.pod',
      'p2.net1.pod,p3.net1.pod',
      'p3.net1.pod',
    ]);
    expect(stage.events().filter((event) => event.includes('AddressConflict'))).toEqual([]);
  });

  it('that two pods refer to is told by the one that has the address, and not in turns', async () => {
    await stage.start();
    claim('c1');
    cast.pod('p1', { annotations: refer('c1') });
    await whenClaim('c1', ({ status }) => status?.ownerPod?.name === 'p1');
    const version = findClaim('c1')?.metadata.resourceVersion;
    cast.pod('p2', { annotations: refer('c1') });
    await eventually('the second', () => getAllocated('a/p2.net1.pod')?.reason === 'AddressInUse');
    cast.setStatus('pods', 'a/p2', { phase: 'Running' });
    cast.pod('p3');
    await findLsp('pod/a/p3/eth0');
    expect(findClaim('c1')?.metadata.resourceVersion).toBe(version);
  });

  it('that does not exist is a condition that says so, until it does', async () => {
    await stage.start();
    cast.pod('p1', { annotations: refer('c1') });
    await eventually('the condition', () => getAllocated('a/p1.net1.pod')?.reason === 'IPAMClaimNotFound');
    claim('c1');
    await findLsp('pod/a/p1/net1');
  });

  it('whose address is another one’s is told of the conflict', async () => {
    await stage.start();
    cast.pod('p0', { annotations: { 'k8s.v1.cni.cncf.io/networks': '[{"name":"attachnet","ips":["172.17.0.9"]}]' } });
    await findLsp('pod/a/p0/net1');
    claim('c1', ['172.17.0.9/24']);
    cast.pod('p1', { annotations: refer('c1') });
    const told = await whenClaim('c1', ({ status }) => status?.conditions?.[0]?.status === 'False');
    expect(told.status).toMatchObject({ ips: ['172.17.0.9/24'], conditions: [{ reason: 'IPAddressConflict' }] });
  });
});

describe('the seams between claims and their users', () => {
  it('seam 1 seam 2 names that a lossy rewriting would make one are two', async () => {
    await stage.start();
    claim('vm-a.b.c');
    claim('vm-a.b-c');
    cast.pod('p1', { annotations: refer('vm-a.b.c', 'vm-a.b-c') });
    const [one, two] = [await findLsp('pod/a/p1/net1'), await findLsp('pod/a/p1/net2')];
    expect(one.addresses).not.toBe(two.addresses);
    await whenClaim(
      'vm-a.b.c',
      ({ status }) => status?.ips?.[0]?.startsWith(one.addresses.split(' ')[1] ?? '-') === true,
    );
    await whenClaim(
      'vm-a.b-c',
      ({ status }) => status?.ips?.[0]?.startsWith(two.addresses.split(' ')[1] ?? '-') === true,
    );
  });

  it('seam 3 two NICs that refer to one claim: the second is told, no address is given twice', async () => {
    await stage.start();
    claim('c1');
    cast.pod('p1', { annotations: refer('c1', 'c1') });
    await findLsp('pod/a/p1/net1');
    await eventually('the condition', () => getAllocated('a/p1.net2.pod')?.message.includes('speaks for NIC net1'));
    expect((await stage.listLsps()).has('pod/a/p1/net2')).toBe(false);
  });

  it('seam 4 a NIC that was unplugged: its claim keeps the address, and frees it when it is deleted', async () => {
    await stage.start();
    claim('c1');
    const spec = (...names: string[]) => ({
      domain: { devices: { interfaces: names.map((name) => ({ name, bridge: {} })) } },
      networks: names.map((name) => ({ name, multus: { networkName: 'attachnet' } })),
    });
    const vm = cast.vm('db', { spec: spec('one', 'two') });
    const vmi = cast.vmi('db', vm);
    cast.patch('vmis', 'a/db', { spec: spec('one', 'two') });
    const { formatLauncherInterface } = await import('../api/names.ts');
    const launcher = cast.launcher('l1', vmi, {});
    const one = { name: 'attachnet', namespace: 'a', interface: formatLauncherInterface('one') };
    const two = { ...one, interface: formatLauncherInterface('two'), 'ipam-claim-reference': 'c1' };
    const annotate = (...networks: object[]) => ({ 'k8s.v1.cni.cncf.io/networks': JSON.stringify(networks) });
    const pod = `a/${launcher.metadata?.name}`;
    cast.patch('pods', pod, { metadata: { annotations: annotate(one, two) }, spec: { nodeName: 'n1' } });
    await whenLsp('vm/a/db/two', 'n1');
    await whenClaim('c1', ({ status }) => status?.ownerPod?.name === 'l1');
    cast.patch('vms', 'a/db', { spec: { template: { spec: spec('one') } } });
    cast.patch('vmis', 'a/db', { spec: spec('one') });
    cast.patch('pods', pod, { metadata: { annotations: annotate(one) } });
    await whenGone('vm/a/db/two');
    expect(stage.findPort('a/db.two.vm')?.spec.ips).toHaveLength(1);
    cast.remove('ipamClaims', 'a/c1');
    await eventually('the release', () => stage.findPort('a/db.two.vm') === undefined);
    expect((await whenLsp('vm/a/db/one', 'n1')).chassis).toBe('n1');
  });

  it('seam 5 seam 6 one claim of several that is missing keeps no other one from being served and released', async () => {
    await stage.start();
    claim('c1');
    cast.pod('p1', { annotations: refer('c1', 'missing') });
    await findLsp('pod/a/p1/net1');
    await eventually('the other', () => getAllocated('a/p1.net2.pod')?.reason === 'IPAMClaimNotFound');
    cast.remove('ipamClaims', 'a/c1');
    cast.remove('pods', 'a/p1');
    await eventually('the release', () => stage.listPorts().length === 0);
  });

  it('seam 7 names longer than a label: no label of ours holds one', async () => {
    await stage.start();
    const name = `vm-${'x'.repeat(90)}`;
    claim(name);
    cast.pod('p1', { annotations: refer(name) });
    await findLsp('pod/a/p1/net1');
    const values = stage.listPorts().flatMap(({ metadata }) => Object.values(metadata.labels ?? {}));
    expect(values.every((value) => value.length <= 63)).toBe(true);
  });

  it('seam 8 no finalizer of ours is on a claim: it can be deleted without us', async () => {
    const started = await stage.start();
    claim('c1');
    cast.pod('p1', { annotations: refer('c1') });
    const told = await whenClaim('c1', ({ status }) => status?.ips !== undefined);
    expect(told.metadata.finalizers ?? []).toEqual([]);
    await started.stop();
    cast.remove('ipamClaims', 'a/c1');
    expect(findClaim('c1')).toBeUndefined();
  });
});
