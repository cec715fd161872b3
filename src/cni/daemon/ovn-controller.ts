import { join } from 'node:path';
import { createAppctl } from '../../ovs/appctl.ts';
import { readSmall } from './unreadable.ts';

/** The ovn-controller of this node. */
export type Controller = {
  /** Why it cannot bring a port into place now, undefined when it can. Never throws. */
  findProblem(): Promise<string | undefined>;
};

const ANSWER_MS = 5000;
const HINT = 'look at the container controller of the ovn-node pod of this node';

/**
 * Asks by its control socket in `folder`, whose name has the process id out of the pid file beside it (ovn-controller(8),
 * "Runtime Management Commands"). In the databases a dead one looks as it did alive.
 */
export function createController(folder: string, timeoutMs = ANSWER_MS): Controller {
  return {
    findProblem: async () => {
      try {
        const pid = (await readSmall(join(folder, 'ovn-controller.pid'), 64)).toString('utf8').trim();
        if (!/^[1-9][0-9]{0,9}$/.test(pid)) return `there is no process id in ovn-controller.pid; ${HINT}`;
        const control = createAppctl(join(folder, `ovn-controller.${pid}.ctl`), timeoutMs);
        const answer = (await control.run('connection-status')).trim();
        return answer === 'connected' ? undefined : `ovn-controller is ${answer} to the Southbound database; ${HINT}`;
      } catch (error) {
        const words = error instanceof Error ? error.message : String(error);
        return `ovn-controller does not answer (${words}); ${HINT}`;
      }
    },
  };
}
