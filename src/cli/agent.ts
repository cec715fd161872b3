import { lookup } from 'node:dns/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { parseActivation } from '../api/activation.ts';
import { KINDS } from '../api/group.ts';
import { createAgent } from '../cni/daemon/agent.ts';
import { createCluster, type Pod } from '../cni/daemon/cluster.ts';
import { ATTACH_MODES } from '../cni/daemon/networks/who.ts';
import { createController } from '../cni/daemon/ovn-controller.ts';
import { createOvsPorts } from '../cni/daemon/ovs-ports.ts';
import { createEventRecorder, createResource, LEASE, type Lease, systemClock, type Transport } from '../kube/index.ts';
import { createNetnsWorker } from '../netlink/worker.ts';
import { createAppctl, DEFAULT_CONTROL } from '../ovs/appctl.ts';
import { createOvsClient } from '../ovs/database.ts';
import { createOpenFlow } from '../ovs/openflow/openflow.ts';
import { findNodeSettings } from '../ovs/settings.ts';
import { connect } from './connect.ts';
import { createPrometheus, serveHealth } from './metrics.ts';
import { runProgram } from './program.ts';

const OPTIONS = {
  node: { type: 'string', default: process.env.NODE_NAME ?? '' },
  kubeconfig: { type: 'string', default: '' },
  'api-server': { type: 'string', default: '' },
  'ovs-db': { type: 'string', default: 'unix:/run/openvswitch/db.sock' },
  'ovs-control': { type: 'string', default: DEFAULT_CONTROL },
  bridge: { type: 'string', default: 'br-int' },
  'underlay-bridge': { type: 'string', default: 'br-phy' },
  'ovn-run-dir': { type: 'string', default: '' },
  'run-dir': { type: 'string', default: '/run/mooring' },
  'state-dir': { type: 'string', default: '/var/lib/mooring' },
  'cni-bin-dir': { type: 'string', default: '/opt/cni/bin' },
  'cni-conf-dir': { type: 'string', default: '/etc/cni/net.d' },
  shim: { type: 'string', default: '/usr/local/bin/mooring-cni' },
  'default-mtu': { type: 'string', default: '0' },
  secondary: { type: 'boolean', default: false },
  'compat-kube-ovn': { type: 'boolean', default: false },
  'attach-networks': { type: 'string', default: 'auto' },
  activation: { type: 'string', default: 'gate' },
  'plugin-types': { type: 'string', default: '' },
  'host-ports': { type: 'boolean', default: false },
  'guard-servers': { type: 'boolean', default: false },
  uninstall: { type: 'boolean', default: false },
  'peer-port': { type: 'string', default: '9477' },
  namespace: { type: 'string', default: process.env.POD_NAMESPACE ?? '' },
  'pod-name': { type: 'string', default: process.env.POD_NAME ?? '' },
  'pod-uid': { type: 'string', default: process.env.POD_UID ?? '' },
  'add-seconds': { type: 'string', default: '60' },
  'reap-seconds': { type: 'string', default: '20' },
  'metrics-port': { type: 'string', default: '9476' },
  'log-level': { type: 'string', default: 'info' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const HELP = `mooring-agent: attaches the pods of one node to OVN

Usage: mooring-agent [options]

  --node NAME           this node's name in Kubernetes (default: $NODE_NAME)
  --kubeconfig FILE     how to reach the API server (default: the pod's service account)
  --api-server URL      its address, one that needs no Service (default: the configuration's)
  --ovs-db REMOTE       the node's OVS database (default: unix:/run/openvswitch/db.sock)
  --ovs-control FILE    where the node's ovs-vswitchd takes commands (default: ${DEFAULT_CONTROL})
  --bridge NAME         the integration bridge (default: br-int)
  --underlay-bridge B   with the datapath in user space, the bridge that bears the tunnels' address (default: br-phy)
  --ovn-run-dir DIR     where the node's ovn-controller has its pid file and takes commands, for STATUS (default: it is
                        not asked)
  --run-dir DIR         for the socket cni.sock (default: /run/mooring)
  --state-dir DIR       for journal and spool (default: /var/lib/mooring)
  --cni-bin-dir DIR     where runtimes look for plugins (default: /opt/cni/bin)
  --cni-conf-dir DIR    where runtimes look for networks (default: /etc/cni/net.d)
  --shim FILE           the plugin to install (default: /usr/local/bin/mooring-cni)
  --default-mtu BYTES   for subnets without mtu; 0: what the operator tells this node (default: 0)
  --secondary           another plugin makes the pods' first interface: no node gateway, no network configuration
  --compat-kube-ovn     install the plugin under the name kube-ovn too, for configurations that call it so
  --attach-networks WHO auto, always or never: who attaches what k8s.v1.cni.cncf.io/networks asks for; auto leaves it to
                        Multus where the runtime's first configuration is Multus' (default: auto)
  --activation HOW      gate or rarp: who opens the target of a migration; as the operator's (default: gate)
  --plugin-types LIST   types of other plugins that network attachments may name, with commas (default: any)
  --host-ports          have the plugin portmap serve pods' hostPort, where it is there: a process per pod
  --guard-servers       drop what pods and guests send as DHCP servers or routers, and count what they spoof
  --uninstall           when it is told to end, take plugin and network configuration away: before the chart is removed
  --peer-port PORT      where agents of other nodes ask for the connections of a launcher that moves to them; 0: nobody
                        may (default: 9477)
  --namespace NAME      where the agents' Leases are; none: no connections are carried (default: $POD_NAMESPACE)
  --pod-name, --pod-uid the agent's own pod, with which its Lease goes (default: $POD_NAME, $POD_UID)
  --add-seconds N       how long one ADD may take (default: 60)
  --reap-seconds N      how often leftovers are looked for (default: 20)
  --metrics-port PORT   /metrics, /healthz, /readyz (default: 9476)
  --log-level LEVEL     debug, info, warn or error (default: info)
`;

type Values = ReturnType<typeof parse>;

function parse() {
  return parseArgs({ options: OPTIONS, strict: true }).values;
}

type NumberOption = 'default-mtu' | 'metrics-port' | 'peer-port' | 'add-seconds' | 'reap-seconds';

function parseNumber(values: Values, name: NumberOption, min: number): number {
  const number = Number(values[name]);
  if (Number.isInteger(number) && number >= min && number <= 65_535) return number;
  throw new Error(`--${name} must be a number from ${min} to 65535`);
}

async function run(values: Values): Promise<void> {
  const { node } = values;
  if (node === '') throw new Error('--node or NODE_NAME must name this node');
  const defaultMtu = values['default-mtu'] === '0' ? 0 : parseNumber(values, 'default-mtu', 576);
  const metricsPort = parseNumber(values, 'metrics-port', 0);
  const peerPort = parseNumber(values, 'peer-port', 0);
  const attachNetworks = ATTACH_MODES.find((mode) => mode === values['attach-networks']);
  if (attachNetworks === undefined) throw new Error(`--attach-networks must be one of ${ATTACH_MODES.join(', ')}`);
  const deadlines = { addMs: parseNumber(values, 'add-seconds', 1) * 1000, otherMs: 20_000 };
  const reapMs = parseNumber(values, 'reap-seconds', 1) * 1000;
  const log = pino({ level: values['log-level'], base: { node } });
  const common = { clock: systemClock, random: Math.random, log };
  const { metrics, registry } = createPrometheus('mooring_agent');
  const { endpoint, transport } = await connect('mooring-agent', values);
  const links = createNetnsWorker();
  const ovs = createOvsClient({
    remotes: [values['ovs-db']],
    log: (event, fields) => log.debug(fields, event),
  });
  const cluster = createCluster({ ...common, transport, node, metrics });
  const events = createEventRecorder({ ...common, transport, component: 'mooring.dev/agent', instance: node, metrics });
  const agent = createAgent({
    ...common,
    node,
    cluster,
    ports: createOvsPorts({ ovs, bridge: values.bridge }),
    links,
    events,
    metrics,
    socket: `${values['run-dir']}/cni.sock`,
    stateDir: values['state-dir'],
    install: {
      ...{ shim: values.shim, binDir: values['cni-bin-dir'], confDir: values['cni-conf-dir'] },
      hostPorts: values['host-ports'],
      removeAtEnd: values.uninstall,
      names: values['compat-kube-ovn'] ? ['mooring', 'kube-ovn'] : ['mooring'],
    },
    defaultMtu,
    primary: !values.secondary,
    reserved: await findAddresses(endpoint.server),
    attachNetworks,
    activation: parseActivation(values.activation),
    pluginTypes: values['plugin-types'].split(',').filter((type) => type !== ''),
    tunnels: {
      findSettings: () => (ovs.client.state === 'live' ? findNodeSettings(ovs) : undefined),
      ...{ appctl: createAppctl(values['ovs-control']), underlay: values['underlay-bridge'] },
    },
    podWriter: createResource<Pod>(transport, KINDS.pod),
    ...(peerPort === 0 || values.namespace === '' ? {} : { carry: formatCarry(values, peerPort, transport) }),
    ...(values['guard-servers'] ? { openflow: createOpenFlow({ path: findSwitch(values) }) } : {}),
    ...(values['ovn-run-dir'] === '' ? {} : { controller: createController(values['ovn-run-dir']) }),
    pid: process.pid,
    deadlines,
    reapMs,
  });
  // Before anybody may take it for started: a signal without a handler ends it at once, or not at all as the first process.
  const ended = nextSignal();
  const health = await serveHealth(metricsPort, registry, agent.findObstacle);
  ovs.client.start();
  cluster.start();
  await agent.start();
  log.info({ metricsPort }, 'started');
  const signal = await ended;
  log.info({ signal }, 'stopping');
  await agent.stop();
  await Promise.all([cluster.stop(), events.stop(), ovs.client.stop(), links.stop(), health.close()]);
  await transport.close();
}

/** Where ovs-vswitchd takes OpenFlow for the bridge: beside the database of this node. */
function findSwitch({ 'ovs-db': remote, bridge }: Values): string {
  if (!remote.startsWith('unix:')) throw new Error('--guard-servers needs --ovs-db unix:PATH');
  return join(dirname(remote.slice('unix:'.length)), `${bridge}.mgmt`);
}

/** How agents find each other. */
function formatCarry(values: Values, port: number, transport: Transport) {
  const { namespace, 'pod-name': name, 'pod-uid': uid } = values;
  const leases = createResource<Lease>(transport, LEASE);
  return { port, leases, namespace, ...(name === '' || uid === '' ? {} : { pod: { name, uid } }) };
}

/** Addresses of the API server, also when its URL has a name; the ones that hold now. */
async function findAddresses(server: string): Promise<string[]> {
  const host = new URL(server).hostname.replace(/^\[|\]$/g, '');
  const found = await lookup(host, { all: true }).catch(() => []);
  return [...new Set([host, ...found.map(({ address }) => address)])];
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve(name));
  });
}

process.exit(await runProgram({ name: 'mooring-agent', help: HELP, parse, run }));
