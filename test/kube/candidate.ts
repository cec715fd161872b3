import {
  createElector,
  createResource,
  createTransport,
  LEASE,
  type Lease,
  loadEndpoint,
  noLogger,
  systemClock,
} from '../../src/kube/index.ts';

/** A candidate in a process of its own, to be paused by a signal: `candidate.ts KUBECONFIG IDENTITY`. */
const [path = '', identity = ''] = process.argv.slice(2);
const transport = createTransport({
  endpoint: await loadEndpoint({ source: { kind: 'kubeconfig', path } }),
  clock: systemClock,
});
const say = (line: string) => process.stdout.write(`${line}\n`);
const elector = createElector({
  leases: createResource<Lease>(transport, LEASE),
  namespace: 'default',
  name: 'paused',
  identity,
  clock: systemClock,
  random: Math.random,
  log: noLogger,
  leaseDurationMs: 2000,
  renewDeadlineMs: 1500,
  retryPeriodMs: 300,
  onStarted: (term) => void say(`started ${term}`),
  onStopped: () => void say('stopped'),
});
// What a worker of the paused leader would ask before its next write.
process.stdin.on('data', () => say(`leader ${elector.isLeader()}`));
process.on('SIGCONT', () => say(`resumed, leader ${elector.isLeader()}`));
await elector.run(new AbortController().signal);
