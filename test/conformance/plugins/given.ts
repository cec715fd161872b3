import { dirname } from 'node:path';
import type { Plugin, Tools } from '../model.ts';
import { startPlainNode } from './node.ts';

export type Given = {
  readonly name: string;
  readonly tools: Tools;
  readonly binary: string;
  /** One plugin's configuration; `cniVersion` is put in. */
  readonly config: Readonly<Record<string, unknown>>;
  /** CNI_PATH; the plugin's own folder when absent. */
  readonly path?: string;
  /** CNI_ARGS. */
  readonly args?: string;
};

/** Any plugin: a program and its configuration, on a node with the uplink `up0`. What it leaves cannot be seen. */
export function formatGiven({ name, tools, binary, config, path = dirname(binary), args = '' }: Given): Plugin {
  return {
    name,
    kind: 'interface',
    known: [],
    start: async () => {
      const node = await startPlainNode();
      const running = { binary, tools, path, netns: node.netns, config: () => ({ name: 'conformance', ...config }) };
      return { ...running, prepare: async () => args, forget: async () => undefined, stop: node.stop };
    },
  };
}
