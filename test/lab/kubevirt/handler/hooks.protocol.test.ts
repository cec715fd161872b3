import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CONFIGURE_GUEST, NETWORK_CONFIG, NIC_DEVICES } from '../../../../src/api/annotations.ts';
import { formatNetworkConfig } from '../../../../src/api/network-config.ts';
import { createRecordingLogger } from '../../../../src/kube/testing/recording-logger.ts';
import { runSidecar } from '../../../../src/launcher-hook/sidecar/run.ts';
import { waitFor } from '../../command.ts';
import type { Pod, Vmi, Volume } from '../objects.ts';
import { endSidecars, listSidecars, prepareGuest } from './hooks.ts';
import type { GuestRecord } from './record.ts';

/** Mooring's own sidecar, asked by the launcher that is played here. */
const MAC = '02:00:5e:00:00:01';
const POD: Pod = {
  metadata: { name: 'l' },
  spec: { containers: [{ name: 'compute' }, { name: 'hook-sidecar-0' }] },
};
const RECORD: GuestRecord = {
  ...{ podUid: 'p', podName: 'l', namespace: 'ns', vmi: 'vm', vmiUid: 'u', node: 'node1', stage: 'prepared' },
  nics: [
    {
      ...{ name: 'default', binding: 'bridge', podInterface: 'eth0', primary: true, index: 0, mac: MAC, podMac: MAC },
      ...{ mtu: 1400, ipv4: [], ipv6: [], routes: [], ports: [] },
    },
  ],
};
const NIC = {
  name: 'default',
  mac: MAC,
  ips: ['10.1.0.5/24'],
  gateways: ['10.1.0.1'],
  dns: [],
  search: [],
  routes: [],
};
const SEED: Volume = { name: 'seed', cloudInitNoCloud: { userData: '#cloud-config\n' } };

let base: string;
let stop: AbortController;
let ended: Promise<void> | undefined;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'hooks-'));
  mkdirSync(join(base, 'hook-sidecar-0'));
  mkdirSync(join(base, 'guest'));
  stop = new AbortController();
  ended = undefined;
});
afterEach(async () => {
  stop.abort();
  await ended;
  rmSync(base, { recursive: true });
});

async function startSidecar(): Promise<void> {
  const directory = join(base, 'hook-sidecar-0');
  const logger = createRecordingLogger();
  ended = runSidecar({ directory, configureGuest: true, logger, suffix: 'x', signal: stop.signal });
  expect(await waitFor(async () => ((await readdir(directory)).length === 1 ? true : undefined), 5000, 20)).toBe(true);
}

const makeVmi = (volumes: Volume[], more: Record<string, string> = {}): Vmi => ({
  metadata: {
    name: 'vm',
    namespace: 'ns',
    annotations: { [CONFIGURE_GUEST]: 'true', [NETWORK_CONFIG]: formatNetworkConfig({ nics: [NIC] }), ...more },
  },
  spec: {
    domain: { devices: { interfaces: [{ name: 'default', bridge: {} }] } },
    networks: [{ name: 'default', pod: {} }],
    volumes,
  },
});

const prepare = (vmi: Vmi, pod = POD) =>
  prepareGuest({ vmi, pod, record: RECORD, hooks: base, dir: join(base, 'guest') });

describe('a launcher with hook sidecars', () => {
  it('makes the disk of what the sidecar filled in', async () => {
    await startSidecar();
    const prepared = await prepare(makeVmi([SEED]));
    expect(prepared?.seed).toBe(join(base, 'guest/seed.iso'));
    const written = JSON.parse(readFileSync(join(base, 'guest/seed/network-config'), 'utf8'));
    expect(written.ethernets.nic0).toMatchObject({ match: { macaddress: MAC }, addresses: ['10.1.0.5/24'] });
    expect(readFileSync(join(base, 'guest/seed/user-data'), 'utf8')).toBe('#cloud-config\n');
  });

  it('gives the guest the device that a sidecar set in the domain', async () => {
    await startSidecar();
    const vmi = makeVmi([SEED], { [NIC_DEVICES]: '{"default":{"mtu":1300,"model":"e1000e","link":"down"}}' });
    const devices = new Map([['default', { mtu: 1300, model: 'e1000e', linkDown: true }]]);
    expect((await prepare(vmi))?.devices).toEqual(devices);
  });

  it('gives the guest as many queues as a sidecar left it of those that its tap has', async () => {
    await startSidecar();
    const vmi = makeVmi([SEED], { [NIC_DEVICES]: '{"default":{"queues":2}}' });
    const nics = RECORD.nics.map((nic) => ({ ...nic, queues: 4, device: { queues: 4 } }));
    const asked = { vmi, pod: POD, record: { ...RECORD, nics }, hooks: base, dir: join(base, 'guest') };
    expect((await prepareGuest(asked))?.devices).toEqual(new Map([['default', { mtu: 1400, queues: 2 }]]));
  });

  it('waits for a sidecar that has not made its socket', async () => {
    expect(await prepare(makeVmi([SEED]))).toBeUndefined();
  });

  it('dies of a sidecar that wants cloud-init data where there are none, as KubeVirt’s does', async () => {
    await startSidecar();
    await expect(prepare(makeVmi([]))).rejects.toThrow('there are none');
  });

  it('ends the sidecar with its guest', async () => {
    await startSidecar();
    await endSidecars(base, POD);
    await ended;
    expect(await readdir(join(base, 'hook-sidecar-0'))).toEqual([]);
    await endSidecars(base, POD);
  });
});

describe('a launcher without', () => {
  const bare: Pod = { metadata: { name: 'l' }, spec: { containers: [{ name: 'compute' }] } };

  it('has what the user gave', async () => {
    expect(listSidecars(bare)).toEqual([]);
    const volume = { name: 'seed', cloudInitNoCloud: { userData: 'u', networkData: 'n' } };
    expect((await prepare(makeVmi([volume]), bare))?.seed).toBe(join(base, 'guest/seed.iso'));
    expect(readFileSync(join(base, 'guest/seed/network-config'), 'utf8')).toBe('n');
  });

  it('has no disk without a volume', async () => {
    expect((await prepare(makeVmi([]), bare))?.seed).toBeUndefined();
  });
});
