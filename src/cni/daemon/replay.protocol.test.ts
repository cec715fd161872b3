import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listHostEnds, listOvsPorts, prepareSubnet } from './testing/berths.ts';
import { startTestNode, type TestNode } from './testing/node.ts';
import { listRecordings, readRecording } from './testing/recorded.ts';
import { formatPort, type Replayed, replay } from './testing/replay.ts';

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
  await node.startAgent();
});
afterAll(() => node.stop());

type Result = {
  readonly cniVersion: string;
  readonly interfaces?: readonly { readonly name: string; readonly sandbox?: string }[];
  readonly ips?: readonly { readonly version?: string; readonly interface?: number; readonly address: string }[];
  readonly routes?: readonly { readonly dst: string }[];
};

/** What callers take from a result, in either's own names: the versions, who has which address, where routes lead. */
const digest = (result: Result, sandbox: string) => ({
  cniVersion: result.cniVersion,
  hasInterfaces: (result.interfaces ?? []).length > 0,
  inPod: (result.interfaces ?? []).filter((link) => link.sandbox === sandbox).map(({ name }) => name),
  ips: (result.ips ?? []).map(({ version, address, interface: index }) => ({
    version,
    address: address.includes('/') ? address : `${address}/24`,
    on: index === undefined ? undefined : result.interfaces?.[index]?.name,
  })),
  routes: (result.routes ?? []).map(({ dst }) => dst),
});

/** Recordings whose ADDs must not succeed here, and why. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['multus-thin-json-all', 'runtimeConfig.infinibandGUID is not supported'],
  ['multus-thick-json-all', 'runtimeConfig.infinibandGUID is not supported'],
  ['containerd16-hostport-bandwidth', 'runtimeConfig.'],
  ['containerd23-hostport-bandwidth', 'runtimeConfig.'],
  ['multus-thin-hostport-bandwidth', 'runtimeConfig.'],
  ['multus-thick-hostport-bandwidth', 'runtimeConfig.'],
  ['multus-thick-nad-empty-spec-on-disk', 'is for no NetworkAttachmentDefinition: it must be ovn'],
  ['containerd16-runtime-killed-during-add', 'a DEL for the same sandbox has come'],
  ['containerd23-runtime-killed-during-add', 'a DEL for the same sandbox has come'],
]);

/** Here the recorded plugin gave no address; a network of ours has one always. */
const BARE: readonly string[] = ['containerd16-primary-without-ip', 'multus-thick-l2-secondary'];

test.each(listRecordings())('%s: the recorded answers, and nothing left', async (name) => {
  const replayed = await replay(node, readRecording(name));
  expect(await listOvsPorts(node)).toEqual([]);
  expect(await listHostEnds(node)).toEqual([]);
  expect(await readdir(join(node.folder, 'state/attachments'))).toEqual([]);
  for (const one of replayed.filter(({ call }) => call.command === 'DEL')) {
    expect(one.outcome).toMatchObject({ exit: 0, output: '' });
  }
  const adds = replayed.filter(({ call }) => call.command === 'ADD');
  const failures = adds.filter(({ outcome }) => outcome.exit !== 0).map(({ outcome }) => outcome.output);
  const refusal = REFUSED.get(name);
  if (refusal === undefined) expect(failures).toEqual([]);
  else expect(failures).toContainEqual(expect.stringContaining(refusal));
  for (const one of BARE.includes(name) ? [] : adds) compare(one, adds);
});

/** The recorded plugin gave each new sandbox another address; ours is the port's, whatever sandbox asks. */
function compare({ call, outcome, sandbox }: Replayed, adds: readonly Replayed[]): void {
  const { result, env } = call;
  if (call.exit !== 0 || result === null || outcome.exit !== 0) return;
  const first = adds.find((other) => other.call.result?.ips && formatPort(other.call) === formatPort(call));
  const recorded = { ...result, ips: first?.call.result?.ips } as unknown as Result;
  const wanted = { ...digest(recorded, env.CNI_NETNS ?? ''), cniVersion: result.cniVersion };
  expect(digest(JSON.parse(outcome.output) as Result, sandbox)).toEqual(wanted);
}
