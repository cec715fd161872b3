import { describe, expect, it } from 'vitest';
import {
  deriveNode,
  formatApiserver,
  formatContainerd,
  formatControllerManager,
  formatEtcd,
  formatKubeconfig,
  formatKubelet,
  formatKubeletCommand,
  formatNodeArguments,
  formatScheduler,
  NODE_BINDS,
} from './config.ts';
import { deriveState } from './up.ts';

const lab = deriveState({ dir: '/lab', cache: '/c', checkout: '/co', kubevirt: 'internal', nodes: 3 });
const node = deriveNode('/lab', 2);

/** `--a=b` words as a record; words without value are true. */
function readFlags(argv: readonly string[]): Record<string, string | true> {
  return Object.fromEntries(
    argv.slice(1).map((word): [string, string | true] => {
      const [name = '', ...value] = word.replace(/^--/, '').split('=');
      return [name, value.length === 0 ? true : value.join('=')];
    }),
  );
}

describe('deriveNode', () => {
  it('gives every node its addresses, names and places', () => {
    expect(node).toEqual({
      name: 'node2',
      index: 2,
      mgmtIp: '198.18.0.12',
      mgmtIp6: 'fd18::12',
      underlayIp: '198.18.1.12',
      migrationIp: '198.18.2.12',
      netns: 'lab-node2',
      dir: '/lab/nodes/node2',
      containerdSocket: '/lab/nodes/node2/run/containerd/containerd.sock',
    });
  });
});

describe('formatKubeconfig', () => {
  const read = (user: Parameters<typeof formatKubeconfig>[0]['user']) =>
    JSON.parse(formatKubeconfig({ server: 'https://a:1', ca: '/ca', user }));
  it('names server and authority of the current context', () => {
    const config = read({ token: 't' });
    const context = config.contexts.find((entry: { name: string }) => entry.name === config['current-context']);
    expect(context.context).toEqual({ cluster: 'lab', user: 'user' });
    expect(config.clusters[0].cluster).toEqual({ server: 'https://a:1', 'certificate-authority': '/ca' });
  });
  it.each([
    [{ token: 't' }, { token: 't' }],
    [
      { cert: '/c', key: '/k' },
      { 'client-certificate': '/c', 'client-key': '/k' },
    ],
  ])('authenticates by %o', (user, expected) => {
    expect(read(user).users[0].user).toEqual(expected);
  });
});

describe('node set-up', () => {
  it('binds own directories over default paths and ends with the file that says ready', () => {
    const words = formatNodeArguments(node, '/lab/ready');
    expect(words[0]).toBe('node2');
    expect(words.at(-1)).toBe('/lab/ready');
    expect(words).toHaveLength(2 + 2 * NODE_BINDS.length);
    expect(words.slice(1, 3)).toEqual(['/lab/nodes/node2/run', '/run']);
  });
  it('binds each path once', () => {
    expect(new Set(NODE_BINDS.map(([own]) => own)).size).toBe(NODE_BINDS.length);
    expect(new Set(NODE_BINDS.map(([, path]) => path)).size).toBe(NODE_BINDS.length);
  });
});

describe('kubelet', () => {
  const config = JSON.parse(formatKubelet(lab, node));
  it('keeps its pods below the cgroup of its own node', () => {
    expect(config).toMatchObject({ cgroupRoot: '/mooring-lab/node2', cgroupDriver: 'cgroupfs', failCgroupV1: false });
  });
  it('serves on its management address with its own certificate', () => {
    expect(config).toMatchObject({ address: '198.18.0.12', tlsCertFile: '/lab/pki/node2.crt', readOnlyPort: 0 });
  });
  it('reports seldom although it looks often', () => {
    expect(config).toMatchObject({ nodeStatusUpdateFrequency: '2s', nodeStatusReportFrequency: '5m' });
  });
  it('bears the name and the address of its node', () => {
    const flags = readFlags(formatKubeletCommand(lab, node));
    expect(flags).toMatchObject({ 'hostname-override': 'node2', 'node-ip': '198.18.0.12' });
  });
});

describe('control plane', () => {
  it('binds the API server to the address that the nodes reach, and to nothing else', () => {
    const flags = readFlags(formatApiserver(lab));
    expect(flags).toMatchObject({
      'bind-address': '198.18.0.1',
      'secure-port': '6443',
      'advertise-address': '198.18.0.1',
    });
  });
  it('lets privileged pods, aggregated APIs and token requests work', () => {
    const flags = readFlags(formatApiserver(lab));
    expect(flags).toMatchObject({
      'allow-privileged': 'true',
      'authorization-mode': 'Node,RBAC',
      'enable-aggregator-routing': 'true',
      'requestheader-client-ca-file': '/lab/pki/ca.crt',
      'service-account-signing-key-file': '/lab/pki/sa.key',
    });
  });
  it('keeps etcd on the loopback, off the usual ports, and asks the API server to use it there', () => {
    const etcd = readFlags(formatEtcd('/lab'));
    const apiserver = readFlags(formatApiserver(lab));
    expect(etcd['listen-client-urls']).toMatch(/^http:\/\/127\.0\.0\.1:(?!2379$)/);
    expect(apiserver['etcd-servers']).toBe(etcd['listen-client-urls']);
  });
  it.each([
    ['controller-manager', formatControllerManager(lab)],
    ['scheduler', formatScheduler(lab)],
  ])('opens no port for the %s', (_name, argv) => {
    expect(readFlags(argv)).toMatchObject({ 'secure-port': '0', 'leader-elect': 'false' });
  });
});

describe('formatContainerd', () => {
  it('runs without CAP_SYS_RESOURCE and pulls no pause image', () => {
    expect(formatContainerd()).toContain('restrict_oom_score_adj = true');
    expect(formatContainerd()).toContain('sandbox_image = "lab.local/pause:1"');
  });
});
