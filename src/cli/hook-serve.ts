import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { type BindingPolicy, parseBindingPolicy } from '../api/binding.ts';
import { systemClock } from '../kube/index.ts';
import type { SidecarImage } from '../launcher-hook/inject/sidecars.ts';
import { createJudges } from '../launcher-hook/judges.ts';
import { createHook } from '../launcher-hook/server/hook.ts';
import { connect } from './connect.ts';
import { createPrometheus, serveHealth } from './metrics.ts';
import type { Program } from './program.ts';

const OPTIONS = {
  kubeconfig: { type: 'string', default: '' },
  'api-server': { type: 'string', default: '' },
  namespace: { type: 'string', default: '' },
  service: { type: 'string', default: 'mooring-hook' },
  port: { type: 'string', default: '9478' },
  'metrics-port': { type: 'string', default: '9479' },
  binding: { type: 'string', default: 'asIs' },
  'sidecar-image': { type: 'string', default: '' },
  'sidecar-pull-policy': { type: 'string', default: 'IfNotPresent' },
  secondary: { type: 'boolean', default: false },
  policies: { type: 'string', default: '' },
  'linger-seconds': { type: 'string', default: '3' },
  'log-level': { type: 'string', default: 'info' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const HELP = `mooring-hook serve: looks at virtual machines as they are admitted (admission webhooks)

Usage: mooring-hook serve [options]

  --kubeconfig FILE       how to reach the API server (default: the pod's service account)
  --api-server URL        its address, one that needs no Service (default: the configuration's)
  --namespace NS          of our Service and Secret (default: the configuration's namespace)
  --service NAME          by which the API server calls us (default: mooring-hook)
  --port PORT             of the webhooks: /mutate and /validate (default: 9478)
  --metrics-port PORT     /metrics, /healthz, /readyz (default: 9479)
  --binding POLICY        of NICs of which nobody says it: asIs, bridge, masquerade, managedTap or auto (default: asIs)
  --sidecar-image IMAGE   of this program, put beside guests that are to be configured (default: none is)
  --sidecar-pull-policy P Always, IfNotPresent or Never (default: IfNotPresent)
  --secondary             another plugin makes the pods' first interface, as the operator is told
  --policies LIST         the ValidatingAdmissionPolicies of the installation, by comma: told when one is away (default: none)
  --linger-seconds N      how long connections are still taken after SIGTERM (default: 3)
  --log-level LEVEL       debug, info, warn or error (default: info)
`;

const DAY_MS = 86_400_000;
/** Rotation needs twice settleMs, out of the third of an authority's time that is left when it begins. */
const LIFETIMES = { authorityMs: 730 * DAY_MS, servingMs: 60 * DAY_MS, settleMs: 120_000, backdateMs: 300_000 };

type Values = ReturnType<typeof parse>;

function parse() {
  return parseArgs({ options: OPTIONS, strict: true, args: process.argv.slice(3) }).values;
}

function parseNumber(values: Values, name: 'port' | 'metrics-port' | 'linger-seconds', most: number): number {
  const number = Number(values[name]);
  if (/^\d+$/.test(values[name]) && number <= most) return number;
  throw new Error(`--${name} must be a number from 0 to ${most}`);
}

function parseBinding(values: Values): BindingPolicy {
  const policy = parseBindingPolicy(values.binding);
  if (!policy.ok) throw new Error(`--binding: ${policy.problem.message}`);
  return policy.value ?? 'asIs';
}

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];

function parseSidecar(values: Values): SidecarImage | undefined {
  const { 'sidecar-image': image, 'sidecar-pull-policy': pullPolicy } = values;
  if (!PULL_POLICIES.includes(pullPolicy)) {
    throw new Error(`--sidecar-pull-policy must be one of ${PULL_POLICIES.join(', ')}`);
  }
  return image === '' ? undefined : { image, pullPolicy };
}

async function run(values: Values): Promise<void> {
  const port = parseNumber(values, 'port', 65_535);
  const metricsPort = parseNumber(values, 'metrics-port', 65_535);
  const lingerMs = parseNumber(values, 'linger-seconds', 60) * 1000;
  const binding = parseBinding(values);
  const sidecar = parseSidecar(values);
  const defaults = { binding, defaultVpc: 'default', defaultSubnet: 'default', primary: !values.secondary };
  const log = pino({ level: values['log-level'], base: {} });
  const { metrics, registry } = createPrometheus('mooring_hook');
  const { endpoint, transport } = await connect('mooring-hook', values);
  const namespace = values.namespace || endpoint.namespace;
  const names = [`${values.service}.${namespace}.svc`, `${values.service}.${namespace}.svc.cluster.local`];

  const hook = createHook({
    ...{ transport, log, metrics, namespace, port, lingerMs, randomBytes },
    createJudges: (records) => createJudges(records, defaults, sidecar),
    clock: systemClock,
    random: Math.random,
    certificates: { ...LIFETIMES, names },
    policies: values.policies.split(',').filter((name) => name !== ''),
  });
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort(new Error(signal)));
  const health = await serveHealth(metricsPort, registry, hook.findObstacle);
  log.info({ metricsPort, names }, 'started');
  await hook.run(stop.signal);
  log.info({}, 'stopped');
  await health.close();
  await transport.close();
}

export const serve: Program<Values> = { name: 'mooring-hook serve', help: HELP, parse, run };
