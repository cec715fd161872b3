import type { Outcome } from '../kube/index.ts';
import type { Turn } from './context.ts';
import { runIpPoolTurn } from './ip-pool/turn.ts';
import { parseKey } from './keys.ts';
import { runKubevirtTurn } from './kubevirt/turn.ts';
import { runMigrationNetworkTurn } from './migration-network/turn.ts';
import { runVpcTurn } from './network/turn.ts';
import { runNodeTurn } from './node/turn.ts';
import { observePod } from './pod/observe.ts';
import { runPortTurn } from './port/turn.ts';
import { runRowsTurn } from './rows/turn.ts';
import { runSubnetTurn } from './subnet/turn.ts';
import { observeVm } from './vm/observe.ts';

/** One turn for one key. Throws errors with a class for the runner; problems of the user's are told, not thrown. */
export function reconcile(turn: Turn, text: string): Promise<Outcome> {
  const key = parseKey(text);
  switch (key.kind) {
    case 'vm':
      return runPortTurn(turn, observeVm(turn, key.namespace, key.name));
    case 'pod':
      return runPortTurn(turn, observePod(turn, key.namespace, key.name));
    case 'subnet':
      return runSubnetTurn(turn, key.name);
    case 'node':
      return runNodeTurn(turn, key.name);
    case 'vpc':
      return runVpcTurn(turn, key.name);
    case 'ippool':
      return runIpPoolTurn(turn, key.name);
    case 'migrationnetwork':
      return runMigrationNetworkTurn(turn, key.name);
    case 'kubevirt':
      return runKubevirtTurn(turn, key.name);
    case 'rows':
      return runRowsTurn(turn, key.name);
  }
}
