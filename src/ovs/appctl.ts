import { ProtocolError } from '../ovsdb/errors.ts';
import { Rpc } from '../ovsdb/rpc.ts';
import { connect } from '../ovsdb/transport.ts';

/** Where ovs-vswitchd takes commands on a node that the chart has set up. */
export const DEFAULT_CONTROL = '/run/openvswitch/ovs-vswitchd.ctl';

export type Appctl = {
  /**
   * Has the program carry out one command and gives what it answers (ovs-appctl(8), commands in ovs-vswitchd(8)). Throws
   * OvsdbError: no such socket, no answer in time, or what the program says against it.
   */
  run(command: string, ...args: string[]): Promise<string>;
};

const TIMEOUT_MS = 2000;

/** Commands for the program that listens on the control socket: JSON-RPC 1.0, a connection for each, as ovs-appctl has it. */
export function createAppctl(path: string, timeoutMs = TIMEOUT_MS): Appctl {
  return {
    run: async (command, ...args) => {
      const socket = await connect({ scheme: 'unix', path }, { timeoutMs });
      const rpc = new Rpc(socket, { onNotification: () => {}, probeIntervalMs: 2 * timeoutMs });
      try {
        const answer = await rpc.request(command, args, timeoutMs);
        return typeof answer === 'string' ? answer : '';
      } finally {
        rpc.close(new ProtocolError('the command is answered'));
      }
    },
  };
}
