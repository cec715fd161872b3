import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCast } from '../../test/operator/objects.ts';
import { type Stage, startStage, until } from '../../test/operator/stage.ts';

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';

let stage: Stage;
let cast: ReturnType<typeof createCast>;
beforeEach(async () => {
  stage = await startStage();
  cast = createCast(stage.api);
  for (const [index, name] of ['one', 'two', 'three'].entries()) {
    cast.nad(name, { type: 'mooring', provider: `${name}.a.ovn` });
    cast.subnet(name, { cidrBlock: `172.2${index}.0.0/24`, provider: `${name}.a.ovn` });
  }
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

const whenLsps = (...names: string[]) =>
  until(names.join(), async () => {
    const present = [...(await stage.listLsps()).keys()].map((name) => name.replace('pod/a/p1/', ''));
    return present.sort().join() === names.sort().join();
  });
const ask = (networks: string) => cast.patch('pods', 'a/p1', { metadata: { annotations: { [NETWORKS]: networks } } });

describe("a running pod's list of networks", () => {
  it('loses one in the middle: the one behind it keeps its interface, its address and its port', async () => {
    await stage.start();
    cast.pod('p1', { annotations: { [NETWORKS]: 'one,two,three' } });
    await whenLsps('eth0', 'net1', 'net2', 'net3');
    const uid = stage.findPort('a/p1.net3.pod')?.metadata.uid;
    ask('one,three');
    await whenLsps('eth0', 'net1', 'net3');
    expect(stage.findPort('a/p1.net3.pod')?.metadata.uid).toBe(uid);
    ask('one,three,two');
    await whenLsps('eth0', 'net1', 'net2', 'net3');
    expect(stage.findPort('a/p1.net3.pod')?.metadata.uid).toBe(uid);
    expect(stage.findPort('a/p1.net2.pod')?.spec.subnet).toBe('two');
  });

  it('has one whose request makes no sense: its port says all the same by which network it is carried', async () => {
    await stage.start();
    cast.pod('p1', { annotations: { [NETWORKS]: 'one,two', 'two.a.ovn.kubernetes.io/ip_address': 'nonsense' } });
    const port = await until('the port', async () => stage.findPort('a/p1.net2.pod'));
    expect(port.spec.ips).toEqual([]);
    expect(port.spec.attachments).toMatchObject([{ interface: 'net2', nad: 'a/two' }]);
    ask('two');
    await whenLsps('eth0');
    expect(stage.findPort('a/p1.net2.pod')?.metadata.uid).toBe(port.metadata.uid);
  });
});
