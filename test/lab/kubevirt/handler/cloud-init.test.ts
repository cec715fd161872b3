import { describe, expect, it } from 'vitest';
import type { CloudInitSource, Vmi, Volume } from '../objects.ts';
import { formatSeed, readCloudInit } from './cloud-init.ts';

const makeVmi = (volumes: Volume[]): Vmi => ({
  metadata: { name: 'vm.more', namespace: 'ns' },
  spec: { domain: { devices: {} }, volumes },
});
const read = (source: CloudInitSource, key: 'cloudInitNoCloud' | 'cloudInitConfigDrive' = 'cloudInitNoCloud') => {
  const data = readCloudInit(makeVmi([{ name: 'root' }, { name: 'seed', [key]: source }]));
  if (data === undefined) throw new Error('no data');
  return data;
};

describe('cloud-init’s data', () => {
  it('are those of the first volume that has some', () => {
    expect(read({ userData: '#cloud-config', networkData: 'n' })).toEqual({
      DataSource: 'noCloud',
      NoCloudMetaData: { 'instance-id': 'vm.ns', 'local-hostname': 'vm' },
      ConfigDriveMetaData: null,
      UserData: '#cloud-config',
      NetworkData: 'n',
      DevicesData: null,
      VolumeName: 'seed',
    });
  });

  it('may be coded, and may be missing', () => {
    const data = read({ userDataBase64: Buffer.from('ü').toString('base64') });
    expect([data.UserData, data.NetworkData]).toEqual(['ü', '']);
    expect(readCloudInit(makeVmi([{ name: 'root' }]))).toBeUndefined();
    expect(readCloudInit({ ...makeVmi([]), spec: { domain: { devices: {} } } })).toBeUndefined();
  });
});

describe('the disk', () => {
  it('of NoCloud has its label, and network data only where there are some', () => {
    const { label, files } = formatSeed(read({ userData: 'u' }));
    expect(label).toBe('cidata');
    expect([...files.keys()]).toEqual(['user-data', 'meta-data']);
    expect(formatSeed(read({ networkData: 'n' })).files.get('network-config')).toBe('n');
  });

  it('of a config drive has OpenStack’s places', () => {
    const { label, files } = formatSeed(read({ userData: 'u', networkData: 'n' }, 'cloudInitConfigDrive'));
    expect(label).toBe('config-2');
    expect(files.get('openstack/latest/user_data')).toBe('u');
    expect(files.get('openstack/latest/network_data.json')).toBe('n');
    expect(JSON.parse(files.get('openstack/latest/meta_data.json') ?? '')).toMatchObject({ hostname: 'vm' });
  });
});
