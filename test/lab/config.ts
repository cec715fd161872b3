import { join } from 'node:path';
import type { LabNode, LabState } from './state.ts';

export const HOST_IP = '198.18.0.1';
export const API_PORT = 6443;
/** etcd listens on the loopback only, on ports that an etcd of the machine's own would not use. */
const ETCD_CLIENT = 'http://127.0.0.1:23790';
const ETCD_PEER = 'http://127.0.0.1:23800';
export const OUTSIDE = {
  netns: 'lab-outside',
  address: '198.18.9.1',
  gateway: '198.18.0.254',
  address6: 'fd18:9::1',
  gateway6: 'fd18::fe',
};

export type KubeconfigUser = { readonly token: string } | { readonly cert: string; readonly key: string };

/** A kubeconfig with one cluster, one user and one context. `ca`, `cert` and `key` are paths. */
export function formatKubeconfig(config: {
  readonly server: string;
  readonly ca: string;
  readonly user: KubeconfigUser;
}): string {
  const { server, ca, user } = config;
  const credentials = 'token' in user ? user : { 'client-certificate': user.cert, 'client-key': user.key };
  return `${JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'lab', cluster: { server, 'certificate-authority': ca } }],
      users: [{ name: 'user', user: credentials }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'user' } }],
      'current-context': 'lab',
    },
    null,
    2,
  )}\n`;
}

/** What is fixed about the node of that number: names, addresses and places. `mountNsPid` is known once it runs. */
export function deriveNode(dir: string, index: number): Omit<LabNode, 'mountNsPid'> {
  const name = `node${index}`;
  const home = join(dir, 'nodes', name);
  return {
    name,
    index,
    mgmtIp: `198.18.0.${10 + index}`,
    mgmtIp6: `fd18::${10 + index}`,
    underlayIp: `198.18.1.${10 + index}`,
    migrationIp: `198.18.2.${10 + index}`,
    netns: `lab-${name}`,
    dir: home,
    containerdSocket: join(home, 'run/containerd/containerd.sock'),
  };
}

/** Which of a node's directories stands for which default path inside the node. */
export const NODE_BINDS: readonly (readonly [string, string])[] = [
  ['run', '/run'],
  ['kubelet', '/var/lib/kubelet'],
  ['containerd', '/var/lib/containerd'],
  ['openvswitch', '/var/lib/openvswitch'],
  ['ovn', '/var/lib/ovn'],
  ['mooring', '/var/lib/mooring'],
  ['kubevirt', '/var/lib/kubevirt'],
  ['etc-openvswitch', '/etc/openvswitch'],
  ['cni-conf', '/etc/cni/net.d'],
  ['cni-bin', '/opt/cni/bin'],
  ['cni-lib', '/var/lib/cni'],
  ['log', '/var/log'],
];

/**
 * The shell script that makes a node inside a fresh mount and hostname namespace and then only stays: whoever enters
 * its namespaces sees the default paths. The directories come as arguments, so no name is ever read as shell text.
 */
export const NODE_SCRIPT = `set -e
hostname "$1"; shift
mount --make-rprivate /
while [ $# -gt 1 ]; do mkdir -p "$2"; mount --bind "$1" "$2"; shift 2; done
mount --make-rshared /
mkdir -p /run/netns /run/containerd /run/lock
: > "$1"
exec sleep infinity
`;

/** Arguments of NODE_SCRIPT; `ready` is the file it makes when the node is set up. */
export function formatNodeArguments(node: Pick<LabNode, 'name' | 'dir'>, ready: string): string[] {
  return [node.name, ...NODE_BINDS.flatMap(([own, path]) => [join(node.dir, own), path]), ready];
}

/** kubelet's configuration file. Fields beyond the defaults say why beside them. */
export function formatKubelet(lab: Pick<LabState, 'pki'>, node: Pick<LabNode, 'name' | 'mgmtIp'>): string {
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: lab.pki.ca } },
    authorization: { mode: 'Webhook' },
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/mooring-lab/${node.name}`,
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    localStorageCapacityIsolation: false,
    evictionHard: { 'memory.available': '50Mi' },
    imageGCHighThresholdPercent: 100,
    address: node.mgmtIp,
    readOnlyPort: 0,
    healthzBindAddress: '127.0.0.1',
    clusterDNS: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
    tlsCertFile: join(lab.pki.dir, `${node.name}.crt`),
    tlsPrivateKeyFile: join(lab.pki.dir, `${node.name}.key`),
    // Three kubelets share two cores: measuring volumes is of no use here.
    volumeStatsAggPeriod: '-1s',
    // A change of the node, above all the network becoming ready, is seen within 2 s instead of 10; it is only written
    // when something changed, so this costs no request.
    nodeStatusUpdateFrequency: '2s',
    nodeStatusReportFrequency: '5m',
    // A demo starts many pods at once; the default of 5 a second would be its bottleneck.
    registryPullQPS: 0,
    serializeImagePulls: false,
    // Tests kill programs often: one that is killed for the tenth time starts again as soon as the first one did.
    crashLoopBackOff: { maxContainerRestartPeriod: '1s' },
    shutdownGracePeriod: '0s',
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** containerd's configuration. CRI plugins that pull or scan are off; without CAP_SYS_RESOURCE runc needs `restrict_oom_score_adj`. */
export function formatContainerd(): string {
  return `version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "lab.local/pause:1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
[plugins."io.containerd.gc.v1.scheduler"]
  startup_delay = "10m"
`;
}

/** etcd's command line: data is thrown away with the lab, so nothing waits for the disk. */
export function formatEtcd(dir: string): string[] {
  return [
    'etcd',
    `--data-dir=${join(dir, 'etcd')}`,
    '--unsafe-no-fsync',
    '--logger=zap',
    '--log-level=warn',
    `--listen-client-urls=${ETCD_CLIENT}`,
    `--advertise-client-urls=${ETCD_CLIENT}`,
    `--listen-peer-urls=${ETCD_PEER}`,
    `--initial-advertise-peer-urls=${ETCD_PEER}`,
    `--initial-cluster=default=${ETCD_PEER}`,
  ];
}

/** kube-apiserver's command line. Aggregated APIs and webhooks are reached by endpoint, as the machine has no Service proxy. */
export function formatApiserver(lab: Pick<LabState, 'pki' | 'bin' | 'apiserver'>): string[] {
  const pki = (name: string) => join(lab.pki.dir, name);
  return [
    join(lab.bin.kubernetes, 'kube-apiserver'),
    `--etcd-servers=${ETCD_CLIENT}`,
    `--secure-port=${lab.apiserver.port}`,
    `--bind-address=${lab.apiserver.host}`,
    `--advertise-address=${lab.apiserver.host}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    `--client-ca-file=${lab.pki.ca}`,
    `--tls-cert-file=${pki('apiserver.crt')}`,
    `--tls-private-key-file=${pki('apiserver.key')}`,
    `--service-account-key-file=${lab.pki.serviceAccountKey}`,
    `--service-account-signing-key-file=${lab.pki.serviceAccountKey}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--requestheader-client-ca-file=${lab.pki.ca}`,
    '--requestheader-allowed-names=front-proxy',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${pki('front-proxy.crt')}`,
    `--proxy-client-key-file=${pki('front-proxy.key')}`,
    '--enable-aggregator-routing=true',
    `--kubelet-client-certificate=${pki('admin.crt')}`,
    `--kubelet-client-key=${pki('admin.key')}`,
    `--kubelet-certificate-authority=${lab.pki.ca}`,
    '--kubelet-preferred-address-types=InternalIP',
    '--authorization-mode=Node,RBAC',
    '--allow-privileged=true',
    '--profiling=false',
  ];
}

/** Controllers that nothing here uses, and whose resyncs cost a two-core machine. */
const UNUSED_CONTROLLERS = [
  'cronjob-controller',
  'horizontal-pod-autoscaler-controller',
  'ttl-after-finished-controller',
];

/** kube-controller-manager's command line; it serves nothing, so it needs no port. */
export function formatControllerManager(lab: Pick<LabState, 'dir' | 'pki' | 'bin'>): string[] {
  return [
    join(lab.bin.kubernetes, 'kube-controller-manager'),
    `--kubeconfig=${join(lab.dir, 'kcm.kubeconfig')}`,
    '--leader-elect=false',
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${lab.pki.serviceAccountKey}`,
    `--root-ca-file=${lab.pki.ca}`,
    `--controllers=*,${UNUSED_CONTROLLERS.map((name) => `-${name}`).join(',')}`,
    '--secure-port=0',
    '--profiling=false',
  ];
}

/** kube-scheduler's command line; it serves nothing, so it needs no port. */
export function formatScheduler(lab: Pick<LabState, 'dir' | 'bin'>): string[] {
  return [
    join(lab.bin.kubernetes, 'kube-scheduler'),
    `--kubeconfig=${join(lab.dir, 'scheduler.kubeconfig')}`,
    '--leader-elect=false',
    '--secure-port=0',
    '--profiling=false',
  ];
}

/** kubelet's command line inside the node. cAdvisor's housekeeping (10 s by default) is a kubelet's main idle load. */
export function formatKubeletCommand(
  lab: Pick<LabState, 'bin'>,
  node: Pick<LabNode, 'name' | 'dir' | 'mgmtIp'>,
): string[] {
  return [
    join(lab.bin.kubernetes, 'kubelet'),
    `--config=${join(node.dir, 'kubelet.yaml')}`,
    `--kubeconfig=${join(node.dir, 'kubeconfig')}`,
    `--hostname-override=${node.name}`,
    `--node-ip=${node.mgmtIp}`,
    '--housekeeping-interval=60s',
  ];
}
