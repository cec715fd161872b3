import { mkdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../command.ts';
import { formatHostname } from '../names.ts';
import { type CloudInitSource, identityOf, type Vmi, type Volume } from '../objects.ts';

/** Cloud-init's data as virt-launcher has them between the VMI and the disk (KubeVirt pkg/cloud-init, CloudInitData). */
export type CloudInitData = {
  DataSource: 'noCloud' | 'configDrive';
  NoCloudMetaData: object | null;
  ConfigDriveMetaData: object | null;
  UserData: string;
  NetworkData: string;
  DevicesData: null;
  VolumeName: string;
};

/** KubeVirt's ReadCloudInitVolumeDataSource; undefined without such a volume. Data in Secrets are not played. */
export function readCloudInit(vmi: Vmi): CloudInitData | undefined {
  const [found] = (vmi.spec.volumes ?? []).flatMap(findSource);
  return found && { ...found, ...readMetaData(vmi, found.DataSource), DevicesData: null };
}

function findSource({ name, cloudInitNoCloud, cloudInitConfigDrive }: Volume) {
  const source = cloudInitNoCloud ?? cloudInitConfigDrive;
  if (source === undefined) return [];
  const DataSource = cloudInitNoCloud === undefined ? ('configDrive' as const) : ('noCloud' as const);
  const UserData = decode(source, 'userData', 'userDataBase64');
  const NetworkData = decode(source, 'networkData', 'networkDataBase64');
  return [{ DataSource, UserData, NetworkData, VolumeName: name }];
}

function readMetaData(vmi: Vmi, source: CloudInitData['DataSource']) {
  const { name, namespace } = identityOf(vmi);
  const hostname = formatHostname(name, vmi.spec.hostname);
  const id = `${hostname}.${namespace}`;
  if (source === 'noCloud') {
    return { NoCloudMetaData: { 'instance-id': id, 'local-hostname': hostname }, ConfigDriveMetaData: null };
  }
  return { NoCloudMetaData: null, ConfigDriveMetaData: { uuid: id, hostname, instance_id: id } };
}

function decode(source: CloudInitSource, plain: 'userData' | 'networkData', coded: `${typeof plain}Base64`): string {
  return source[plain] ?? Buffer.from(source[coded] ?? '', 'base64').toString('utf8');
}

type Files = ReadonlyMap<string, string>;

/** The files of the disk, and its label, by which cloud-init knows it. */
export function formatSeed(data: CloudInitData): { label: string; files: Files } {
  const network = (name: string): [string, string][] => (data.NetworkData === '' ? [] : [[name, data.NetworkData]]);
  if (data.DataSource === 'noCloud') {
    const files = new Map([
      ['user-data', data.UserData],
      ['meta-data', JSON.stringify(data.NoCloudMetaData)],
      ...network('network-config'),
    ]);
    return { label: 'cidata', files };
  }
  const base = 'openstack/latest';
  const files = new Map([
    [`${base}/user_data`, data.UserData],
    [`${base}/meta_data.json`, JSON.stringify(data.ConfigDriveMetaData)],
    ...network(`${base}/network_data.json`),
  ]);
  return { label: 'config-2', files };
}

/** So that the disk of a migration's target is as large as the source's. */
const BLOCK = 1_048_576;

/** Makes the disk in a guest's folder, as KubeVirt does with xorrisofs; gives its path. */
export async function writeSeed(dir: string, data: CloudInitData): Promise<string> {
  const { label, files } = formatSeed(data);
  const [tree, image] = [join(dir, 'seed'), join(dir, 'seed.iso')];
  await rm(tree, { recursive: true, force: true });
  for (const [name, text] of files) {
    const path = join(tree, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, text);
  }
  await runCommand(['genisoimage', '-quiet', '-output', image, '-volid', label, '-joliet', '-rock', tree]);
  await truncate(image, Math.ceil((await stat(image)).size / BLOCK) * BLOCK);
  return image;
}
