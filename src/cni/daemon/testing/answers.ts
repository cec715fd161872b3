import type { CniOutcome, TestNode } from './node.ts';

/** The error code of a call that failed, 0 for one that did not. */
export function codeOf({ exit, output }: CniOutcome): number {
  return exit === 0 ? 0 : (JSON.parse(output) as { code: number }).code;
}

/** What a call that failed said. */
export function messageOf({ output }: Pick<CniOutcome, 'output'>): string {
  return (JSON.parse(output) as { msg: string }).msg;
}

const NOBODY = { name: 'x', uid: 'x', containerId: 'x', netns: 'x' };

/** STATUS as a runtime sends it: no container, no interface. */
export function askStatus(node: TestNode, config: object = {}): Promise<CniOutcome> {
  const env = { CNI_CONTAINERID: '', CNI_IFNAME: '', CNI_NETNS: '', CNI_ARGS: '' };
  const usual = { cniVersion: '1.1.0', name: 'mooring', type: 'mooring' };
  return node.cni({ command: 'STATUS', pod: NOBODY, env, config: { ...usual, ...config } });
}
