/**
 * Every metric of ours, without the program's prefix (`mooring_operator_`, `mooring_agent_`, `mooring_hook_`), with what it says.
 * Histograms are in milliseconds. The runtime's own (`process_…`, `nodejs_…`) come beside them.
 */
export const METRICS = {
  event_to_commit_ms: {
    type: 'histogram',
    program: 'operator',
    help: 'From the event that asked for it to the rows in OVN, by kind of owner and phase; a migration is committed in phase activated.',
  },
  migration_phase_ms: {
    type: 'histogram',
    program: 'operator',
    help: 'From the first event of a step of a migration to its rows in OVN, by phase: prepare, activate, commit, rollback.',
  },
  migrations_total: {
    type: 'counter',
    program: 'operator',
    help: 'Migrations that ended, by result: settled, rolledBack, or unsupported for those that are refused.',
  },
  migration_memory_total: {
    type: 'counter',
    program: 'operator',
    help: 'Migrations that ended while there was a MigrationNetwork, by the network that the memory went over: Migration or Pod.',
  },
  add: { type: 'histogram', program: 'agent', help: 'CNI ADD from request to answer, by outcome.' },
  add_stage: { type: 'histogram', program: 'agent', help: 'Each stage of an ADD, by stage and outcome.' },
  del: { type: 'histogram', program: 'agent', help: 'CNI DEL from request to answer, by outcome.' },
  reaped: { type: 'counter', program: 'agent', help: 'Ports removed whose sandbox or pod had gone without a DEL.' },
  unreadable_files: {
    type: 'counter',
    program: 'agent',
    help: 'Files of the agent’s own state that could not be read and were found aside since it started, by kind: attachments, networks, spool.',
  },
  datapath_renewals: {
    type: 'counter',
    program: 'agent',
    help: 'How often Open vSwitch was brought to look at its flows again as packets of tunnels reached the kernel, by renewal: revalidate, purge.',
  },
  spoofed_frames: {
    type: 'counter',
    program: 'agent',
    help: 'Frames that a pod or guest may not send and that were dropped, by port and cause: foreign (addresses, ARP or neighbour discovery that are not the port’s), dhcpv4 and dhcpv6 (answers of a server), advertisement (of a router).',
  },
  carry_ms: {
    type: 'histogram',
    program: 'agent',
    help: 'On the target of a masquerading port: from the attachment until the source had told all its tracked connections.',
  },
  carry_sessions: {
    type: 'counter',
    program: 'agent',
    help: 'Carrying of tracked connections that has ended, by role (source, target) and outcome.',
  },
  carry_failures: {
    type: 'counter',
    program: 'agent',
    help: 'What kept tracked connections from being carried, or asked without right, by role and problem; tried again.',
  },
  first_pass_ms: {
    type: 'histogram',
    program: 'operator',
    help: 'From the begin of a term until everything there is was looked at once.',
  },
  kube_reconcile_ms: { type: 'histogram', program: 'both', help: 'One turn of a controller, by verdict.' },
  kube_reflector_failures: {
    type: 'counter',
    program: 'both',
    help: 'Lists and watches that ended in an error and were begun again, by kind and reason.',
  },
  kube_reflector_faults: {
    type: 'counter',
    program: 'both',
    help: 'Objects that could not be taken, by kind and stage.',
  },
  kube_events_dropped: {
    type: 'counter',
    program: 'both',
    help: 'Kubernetes events given up because too many waited.',
  },
  admission_ms: {
    type: 'histogram',
    program: 'hook',
    help: 'From the API server’s question to our answer, by path.',
  },
  admission_verdicts: {
    type: 'counter',
    program: 'hook',
    help: 'Answers by path, kind of object and verdict: allowed, warned, changed or denied.',
  },
  admission_refused: {
    type: 'counter',
    program: 'hook',
    help: 'Requests that were no question of an API server, by HTTP status.',
  },
  admission_judge_failures: {
    type: 'counter',
    program: 'hook',
    help: 'Objects let through because a judge failed, by judge.',
  },
  admission_gaps: {
    type: 'counter',
    program: 'hook',
    help: 'How often a part of the installation was found to be away or to deny nothing (policies, their bindings, our webhook configurations and Secret), by kind and name.',
  },
  admission_unseen: {
    type: 'counter',
    program: 'hook',
    help: 'Objects let through because of a kind that could not be read yet, by judge and that kind (unknown).',
  },
} as const satisfies Record<
  string,
  { type: 'histogram' | 'counter'; program: 'operator' | 'agent' | 'both' | 'hook'; help: string }
>;

/** What a metric says; its name in words when it is not in the list. */
export function findMetricHelp(name: string): string {
  return Object.entries(METRICS).find(([key]) => key === name)?.[1].help ?? name.replaceAll('_', ' ');
}
