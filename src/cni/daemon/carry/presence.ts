import { publish } from './published.ts';
import type { Self } from './self.ts';
import type { CarryServer } from './server.ts';

/** That others find this agent: its socket, and its Lease. */
export type Presence = {
  /** Says whether all is in place; what is not has been logged. With `again` the Lease is read, whatever was written before. */
  ensure(again: boolean, signal: AbortSignal): Promise<boolean>;
};

export function createPresence(self: Self, server: CarryServer): Presence {
  let published = '';
  let said = '';
  const appear = async (again: boolean, signal: AbortSignal) => {
    const own = self.findOwn();
    if (own === undefined) throw new Error(`Node ${self.node} has no InternalIP`);
    await server.ensure(own.address);
    if (own.address === published && !again) return;
    published = '';
    await publish(self.registry, self.node, own, signal);
    published = own.address;
  };
  return {
    ensure: async (again, signal) => {
      try {
        await appear(again, signal);
        said = '';
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        const words = error instanceof Error ? error.message : String(error);
        if (words !== said) self.log.warn({ err: error }, 'other nodes cannot ask for tracked connections now');
        said = words;
        return false;
      }
    },
  };
}
