import { formatNetworkConfig, type NicConfig } from '../../../api/network-config.ts';

/** The MAC of the NIC of that number. */
export const macOf = (index: number): string => `02:00:5e:00:00:0${index}`;

/** A NIC of the subnet 10.<index>.0.0/24 with all that one can have; `over` takes or changes some of it. */
export function makeNicConfig(index: number, over: Partial<NicConfig> = {}): NicConfig {
  return {
    name: `nic${index}`,
    mac: macOf(index),
    ips: [`10.${index}.0.5/24`],
    gateways: [`10.${index}.0.1`],
    dns: [],
    search: [],
    routes: [],
    ...over,
  };
}

type VmiParts = {
  readonly annotations?: Record<string, string>;
  readonly interfaces?: readonly object[];
  readonly networks?: readonly object[];
};

/** A VMI as KubeVirt marshals it, opted in, its NICs on networks of Multus. */
export function makeVmi(nics: readonly NicConfig[], parts: VmiParts = {}): Buffer {
  const { annotations, interfaces, networks } = parts;
  return Buffer.from(
    JSON.stringify({
      metadata: {
        name: 'vm',
        namespace: 'default',
        annotations: {
          'mooring.dev/configure-guest': 'true',
          'mooring.dev/network-config': formatNetworkConfig({ nics }),
          ...annotations,
        },
      },
      spec: {
        domain: { devices: { interfaces: interfaces ?? nics.map(({ name }) => ({ name, bridge: {} })) } },
        networks: networks ?? nics.map(({ name }) => ({ name, multus: { networkName: name } })),
      },
    }),
  );
}

/** Cloud-init's data as KubeVirt hands them over, in both forms. */
export function makeCloudInit(over: Record<string, unknown> = {}) {
  const data = {
    DataSource: 'noCloud',
    NoCloudMetaData: { 'instance-id': '1', 'local-hostname': 'vm' },
    ConfigDriveMetaData: null,
    UserData: '#cloud-config\nhostname: "ü"\n',
    NetworkData: '',
    DevicesData: null,
    VolumeName: 'cloudinit',
    ...over,
  };
  const source = { userData: data.UserData, ...(data.NetworkData === '' ? {} : { networkData: data.NetworkData }) };
  return { data: Buffer.from(JSON.stringify(data)), noCloudSource: Buffer.from(JSON.stringify(source)) };
}
