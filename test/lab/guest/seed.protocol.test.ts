import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { waitFor } from '../command.ts';
import { type CloudInitData, writeSeed } from '../kubevirt/handler/cloud-init.ts';
import { kill } from '../kubevirt/handler/netns.ts';
import { BRIDGE, createTestBed, MAC, startIn, type TestBed } from '../kubevirt/handler/testing.ts';
import { findCacheDir } from '../state.ts';
import { runInGuest } from './console.ts';
import { pathsOf } from './guest.ts';
import { ensureGuestImage } from './image.ts';

/** A real guest with a real disk of cloud-init's data. */
let bed: TestBed;
let dir: string;
beforeEach(async () => {
  bed = await createTestBed();
  dir = mkdtempSync(join(tmpdir(), 'seed-'));
});
afterEach(async () => {
  await bed.end();
  rmSync(dir, { recursive: true });
});

const makeData = (network?: object): CloudInitData => ({
  DataSource: 'noCloud',
  NoCloudMetaData: { 'instance-id': 'g' },
  ConfigDriveMetaData: null,
  UserData: '#cloud-config\n',
  NetworkData: network === undefined ? '' : JSON.stringify(network, undefined, 2),
  DevicesData: null,
  VolumeName: 'seed',
});

/** What the guest prints once `command` succeeds there. */
async function boot(seed: string, command: string): Promise<string> {
  const image = await ensureGuestImage(findCacheDir(process.env));
  const guest = await startIn(bed, { image, name: 'g', spec: BRIDGE, address: '10.77.0.5/24', seed });
  try {
    const ask = async (): Promise<string | undefined> => {
      const answer = await runInGuest(pathsOf(guest.dir).console, command, 30_000).catch(() => undefined);
      return answer?.code === 0 ? answer.output : undefined;
    };
    return (await waitFor(ask, 60_000, 200)) ?? 'never';
  } finally {
    for (const process of guest.processes) kill(process);
  }
}

it('a guest whose seed has network data does what they say, and asks nobody', async () => {
  const ethernets = {
    nic0: {
      match: { macaddress: MAC },
      dhcp4: false,
      'accept-ra': false,
      mtu: 1350,
      addresses: ['10.77.0.9/24', 'fd00:77::9/64'],
      nameservers: { addresses: ['10.77.0.53'], search: ['example.org'] },
      gateway6: 'fd00:77::1',
      routes: [
        { to: '0.0.0.0/0', via: '10.77.0.1' },
        { to: '10.88.0.0/16', via: '10.99.0.1', 'on-link': true },
      ],
    },
  };
  const seed = await writeSeed(dir, makeData({ version: 2, ethernets }));
  const look = 'ip addr show eth0; ip route; ip -6 route; cat /etc/resolv.conf; ls /run; ps';
  const said = await boot(seed, `cat /run/configured && ping -c 1 -W 5 10.77.0.1 && { ${look}; }`);
  for (const words of [
    'mtu 1350',
    'inet 10.77.0.9/24',
    'inet6 fd00:77::9/64',
    'default via 10.77.0.1',
    '10.88.0.0/16 via 10.99.0.1',
    'default via fd00:77::1',
    'nameserver 10.77.0.53\nsearch example.org',
  ]) {
    expect(said).toContain(words);
  }
  expect(said).not.toMatch(/udhcpc|lease/);
});

it('a guest whose seed has none asks by DHCP, as without a seed', async () => {
  const seed = await writeSeed(dir, makeData());
  expect(await boot(seed, 'cat /run/lease.eth0')).toContain('ip=10.77.0.5\n');
});
