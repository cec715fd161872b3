import type { Outcome } from '../kube/index.ts';
import type { Turn } from './context.ts';
import { runIpPoolTurn } from './ip-pool/turn.ts';
import { type Key, parseKey } from './keys.ts';
import { runKubevirtTurn } from './kubevirt/turn.ts';
import { runMigrationNetworkTurn } from './migration-network/turn.ts';
import { runVpcTurn } from './network/turn.ts';
import { runNodeTurn } from './node/turn.ts';
import { observePod } from './pod/observe.ts';
import { runPolicyGroupTurn, runPolicyTurn } from './policy/turn.ts';
import { runPortTurn } from './port/turn.ts';
import { runRowsTurn } from './rows/turn.ts';
import { runSubnetTurn } from './subnet/turn.ts';
import { observeVm } from './vm/observe.ts';

const TURNS: Readonly<Record<Exclude<Key['kind'], 'vm' | 'pod'>, (turn: Turn, name: string) => Promise<Outcome>>> = {
  subnet: runSubnetTurn,
  node: runNodeTurn,
  vpc: runVpcTurn,
  ippool: runIpPoolTurn,
  migrationnetwork: runMigrationNetworkTurn,
  kubevirt: runKubevirtTurn,
  policy: runPolicyTurn,
  policygroup: runPolicyGroupTurn,
  rows: runRowsTurn,
};

/** One turn for one key. Throws errors with a class for the runner; problems of the user's are told, not thrown. */
export async function reconcile(turn: Turn, text: string): Promise<Outcome> {
  const key = parseKey(text);
  switch (key.kind) {
    case 'vm':
      return runPortTurn(turn, observeVm(turn, key.namespace, key.name));
    case 'pod':
      return runPortTurn(turn, observePod(turn, key.namespace, key.name));
    default:
      return TURNS[key.kind](turn, key.name);
  }
}
