import { randomBytes, randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { parseActivation } from '../api/activation.ts';
import { planRanges } from '../ipam/ranges.ts';
import { createTransport, systemClock } from '../kube/index.ts';
import { createOperator } from '../operator/operator.ts';
import { createNbClient, createSbClient, type DatabaseOptions } from '../ovn/database.ts';
import { materialFromFiles } from '../ovsdb/index.ts';
import type { ReleasePolicy } from '../plan/ports/retention.ts';
import { planJoin, type Settings } from '../plan/settings.ts';
import { connect } from './connect.ts';
import { createPrometheus, serveHealth } from './metrics.ts';
import { runProgram } from './program.ts';

const RELEASE_POLICIES: readonly ReleasePolicy[] = ['WithOwner', 'OnStop', 'Retain'];

const OPTIONS = {
  kubeconfig: { type: 'string', default: '' },
  'api-server': { type: 'string', default: '' },
  nb: { type: 'string', default: '' },
  sb: { type: 'string', default: '' },
  'ovn-ca': { type: 'string', default: '' },
  'ovn-cert': { type: 'string', default: '' },
  'ovn-key': { type: 'string', default: '' },
  'cluster-id': { type: 'string', default: 'mooring' },
  'default-cidr': { type: 'string', default: '10.16.0.0/16' },
  'join-cidr': { type: 'string', default: '100.64.0.0/16,fd00:100:64::/112' },
  mtu: { type: 'string', default: '0' },
  secondary: { type: 'boolean', default: false },
  'release-policy': { type: 'string', default: 'WithOwner' },
  activation: { type: 'string', default: 'gate' },
  'register-managed-tap': { type: 'boolean', default: false },
  'network-policies': { type: 'boolean', default: false },
  'lease-namespace': { type: 'string', default: '' },
  'metrics-port': { type: 'string', default: '9475' },
  'log-level': { type: 'string', default: 'info' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const HELP = `mooring-operator: gives VMs and pods their addresses and keeps OVN's Northbound database

Usage: mooring-operator --nb REMOTES --sb REMOTES [options]

  --nb REMOTES            Northbound database: tcp:HOST:PORT, ssl:HOST:PORT or unix:PATH, several with commas
  --sb REMOTES            Southbound database, in the same form
  --ovn-ca FILE           CA, certificate and key for ssl remotes; read again at every connection
  --ovn-cert FILE
  --ovn-key FILE
  --kubeconfig FILE       how to reach the API server (default: the pod's service account)
  --api-server URL        its address, one that needs no Service (default: the configuration's)
  --cluster-id ID         marks our rows in OVN; never change it (default: mooring)
  --default-cidr CIDR     of the subnet "default", made when there is none: V4, V6 or V4,V6 (default: 10.16.0.0/16)
  --join-cidr CIDR        between routers and nodes: V4, V6 or V4,V6 (default: 100.64.0.0/16,fd00:100:64::/112)
  --mtu BYTES             for subnets without mtu; 0: the least that the nodes' uplinks allow (default: 0)
  --secondary             another plugin makes the pods' first interface: no default subnet is made
  --release-policy POLICY when addresses are given back, where neither NIC, VM, pod nor subnet says it:
                          WithOwner, OnStop or Retain (default: WithOwner)
  --activation HOW        gate or rarp: who opens the target of a migration, the agent's gate or OVN's activation
                          strategy; the agents need the same (default: gate)
  --register-managed-tap  tell KubeVirt of the binding plugin managedTap, where its object has none of that name
  --network-policies      serve NetworkPolicies of Kubernetes for the pods' first interface
  --lease-namespace NS    of the leader's lease (default: the configuration's namespace)
  --metrics-port PORT     /metrics, /healthz, /readyz (default: 9475)
  --log-level LEVEL       debug, info, warn or error (default: info)
`;

type Values = ReturnType<typeof parse>;

function parse() {
  return parseArgs({ options: OPTIONS, strict: true }).values;
}

function parseNumber(values: Values, name: 'mtu' | 'metrics-port', min: number): number {
  const number = Number(values[name]);
  if (Number.isInteger(number) && number >= min && number <= 65_535) return number;
  throw new Error(`--${name} must be a number from ${min} to 65535`);
}

function parsePolicy(text: string): ReleasePolicy {
  const policy = RELEASE_POLICIES.find((candidate) => candidate === text);
  if (policy === undefined) throw new Error(`--release-policy must be one of ${RELEASE_POLICIES.join(', ')}`);
  return policy;
}

function parseSettings(values: Values): Settings {
  const join = planJoin(values['join-cidr']);
  if (!join.ok) throw new Error(`--join-cidr: ${join.problem.message}`);
  const ranges = planRanges({ cidrBlock: values['default-cidr'] });
  if (!ranges.ok) throw new Error(`--default-cidr: ${ranges.problem.message}`);
  if (values['cluster-id'] === '') throw new Error('--cluster-id must not be empty');
  return {
    cluster: values['cluster-id'],
    join: join.value,
    mtu: values.mtu === '0' ? 0 : parseNumber(values, 'mtu', 576),
    defaultVpc: 'default',
    defaultSubnet: 'default',
    primary: !values.secondary,
    releasePolicy: parsePolicy(values['release-policy']),
    activation: parseActivation(values.activation),
    registerManagedTap: values['register-managed-tap'],
    networkPolicies: values['network-policies'],
  };
}

function parseDatabase(values: Values, name: 'nb' | 'sb'): Pick<DatabaseOptions, 'remotes' | 'tls'> {
  const remotes = values[name].split(',').flatMap((remote) => remote.trim() || []);
  if (remotes.length === 0) throw new Error(`--${name} must name at least one remote`);
  if (!remotes.some((remote) => remote.startsWith('ssl:'))) return { remotes };
  const files = { ca: values['ovn-ca'], cert: values['ovn-cert'], key: values['ovn-key'] };
  if (Object.values(files).includes('')) throw new Error('ssl remotes need --ovn-ca, --ovn-cert and --ovn-key');
  return { remotes, tls: { material: materialFromFiles(files), identity: 'any' } };
}

/**
 * Who we are in the lease. A pod runs one operator at a time, so its name is enough: after a crash the next one in the
 * same pod takes its own lease back at once instead of waiting until it has run out. The term grows all the same.
 */
function findIdentity(podName: string | undefined): string {
  return podName ?? `${hostname()}_${randomUUID()}`;
}

async function run(values: Values): Promise<void> {
  const settings = parseSettings(values);
  const [nb, sb] = [parseDatabase(values, 'nb'), parseDatabase(values, 'sb')];
  const metricsPort = parseNumber(values, 'metrics-port', 0);
  const log = pino({ level: values['log-level'], base: {} });
  const logOvn = (event: string, fields: Readonly<Record<string, unknown>>) => log.debug(fields, event);
  const { metrics, registry } = createPrometheus('mooring_operator');
  const { endpoint, transport } = await connect('mooring-operator', values);
  const leaseTransport = createTransport({
    endpoint,
    clock: systemClock,
    userAgent: 'mooring-operator',
    connections: 1,
  });
  const operator = createOperator({
    settings,
    transport,
    leaseTransport,
    nb: createNbClient({ ...nb, log: logOvn }),
    sb: createSbClient({ ...sb, log: logOvn }),
    clock: systemClock,
    random: Math.random,
    randomBytes,
    log,
    metrics,
    identity: findIdentity(process.env.POD_NAME),
    lease: { namespace: values['lease-namespace'] || endpoint.namespace, name: 'mooring-operator' },
    defaultCidr: values['default-cidr'],
  });
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort(new Error(signal)));
  const health = await serveHealth(metricsPort, registry, operator.findObstacle);
  log.info({ metricsPort, cluster: settings.cluster }, 'started');
  await operator.run(stop.signal);
  log.info({}, 'stopped');
  await health.close();
  await Promise.all([transport.close(), leaseTransport.close()]);
}

process.exit(await runProgram({ name: 'mooring-operator', help: HELP, parse, run }));
