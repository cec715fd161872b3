import type { KubeObject } from '../../../kube/index.ts';
import { publish } from './published.ts';
import type { Self } from './self.ts';
import type { CarryServer } from './server.ts';

/** That others find this agent: its socket, and its Lease. */
export type Presence = {
  /** Says whether all is in place; what is not has been logged. With `again` the Lease is read, whatever was written before. */
  ensure(again: boolean, signal: AbortSignal): Promise<boolean>;
};

export function createPresence(self: Self, server: CarryServer, findNode: () => KubeObject | undefined): Presence {
  let published = '';
  let said = '';
  const appear = async (again: boolean, signal: AbortSignal) => {
    const node = findNode();
    const own = self.findOwn();
    if (node === undefined || own === undefined) throw new Error(`Node ${self.node} has no InternalIP`);
    await server.ensure(own.address);
    const state = `${own.address} ${node.metadata?.uid}`;
    if (state === published && !again) return;
    published = '';
    await publish(self.registry, node, own, signal);
    published = state;
  };
  return {
    ensure: async (again, signal) => {
      try {
        await appear(again, signal);
        said = '';
        return true;
      } catch (error) {
        const words = error instanceof Error ? error.message : String(error);
        if (words !== said) self.log.warn({ err: error }, 'other nodes cannot ask for tracked connections now');
        said = words;
        return false;
      }
    },
  };
}
