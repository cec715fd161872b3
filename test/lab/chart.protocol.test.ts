import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { ensureHelm } from './binaries.ts';
import { findCacheDir } from './state.ts';

const CHART = join(import.meta.dirname, '../../charts/mooring');
const VALUES = join(import.meta.dirname, 'values.yaml');
const BUILD_MS = 600_000;

let helm: string;
beforeAll(async () => {
  const cache = findCacheDir(process.env);
  mkdirSync(cache, { recursive: true });
  helm = await ensureHelm(cache);
}, BUILD_MS);

type Workload = {
  kind: string;
  metadata: { name: string };
  spec?: { template?: { spec: { containers: { args?: string[] }[] } } };
};

/** Each program's arguments, by the name of its workload, as the chart renders them with the lab's values and these. */
async function render(...sets: string[]): Promise<Map<string, string[]>> {
  const flags = sets.flatMap((set) => ['--set', set]);
  const { stdout } = await promisify(execFile)(helm, ['template', 'mooring', CHART, '-f', VALUES, ...flags]);
  const objects = parseAllDocuments(stdout).flatMap((document) => (document.toJS() as Workload | null) ?? []);
  return new Map(
    objects.flatMap(({ metadata, spec }) =>
      spec?.template === undefined
        ? []
        : [[metadata.name, spec.template.spec.containers.flatMap(({ args }) => args ?? [])]],
    ),
  );
}

describe('the chart', () => {
  it('by default makes pods’ first interfaces, joins both families and lets the uplinks decide the MTU', async () => {
    const programs = await render();
    expect(programs.get('mooring-operator')).toEqual(
      expect.arrayContaining(['--default-cidr=10.16.0.0/16', '--join-cidr=100.64.0.0/16,fd00:100:64::/112', '--mtu=0']),
    );
    expect(programs.get('mooring-agent')).toContain('--default-mtu=0');
    for (const args of programs.values()) expect(args).not.toContain('--secondary');
  });

  it('with mode secondary says so to operator and agent', async () => {
    const programs = await render('mode=secondary');
    expect(programs.get('mooring-operator')).toContain('--secondary');
    expect(programs.get('mooring-agent')).toContain('--secondary');
  });

  it("installs the plugin under Kube-OVN's name only when told to", async () => {
    // The lab's own values switch it on, for the configurations of USAGE.md.
    expect((await render('compat.kubeOvn=false')).get('mooring-agent')).not.toContain('--compat-kube-ovn');
    expect((await render('compat.kubeOvn=true')).get('mooring-agent')).toContain('--compat-kube-ovn');
  });

  it('lets attachments name any plugin and serves no hostPort, unless told otherwise', async () => {
    const usual = (await render()).get('mooring-agent')?.join(' ');
    expect(usual).not.toMatch(/--plugin-types|--host-ports/);
    const told = await render('agent.pluginTypes={macvlan,static},agent.hostPorts=true');
    expect(told.get('mooring-agent')).toEqual(
      expect.arrayContaining(['--plugin-types=macvlan,static', '--host-ports']),
    );
    await expect(render('agent.pluginTypes={../sh}')).rejects.toThrow('pluginTypes');
  });

  it('keeps pods and guests from speaking as servers, unless told otherwise', async () => {
    expect((await render()).get('mooring-agent')).toContain('--guard-servers');
    expect((await render('agent.guardServers=false')).get('mooring-agent')).not.toContain('--guard-servers');
  });

  it('has agents meet at a port of its own, at another one, or not at all', async () => {
    expect((await render()).get('mooring-agent')).toContain('--peer-port=9477');
    expect((await render('agent.peerPort=19477')).get('mooring-agent')).toContain('--peer-port=19477');
    expect((await render('agent.peerPort=0')).get('mooring-agent')).toContain('--peer-port=0');
    await expect(render('agent.peerPort=65536')).rejects.toThrow('peerPort');
  });

  it.each([
    ['a pod network of both families', 'network.podCIDR=10.16.0.0/16\\,fd00:10:16::/64'],
    ['a pod network of IPv6', 'network.podCIDR=fd00:10:16::/64'],
    ['a join network of IPv4 alone', 'network.joinCIDR=100.64.0.0/16'],
    ['an MTU', 'network.mtu=1400'],
  ])('takes %s', async (_cause, set) => {
    const [, value = ''] = set.replaceAll('\\', '').split('=');
    const args = [...(await render(set)).values()].flat();
    expect(args.some((arg) => arg.endsWith(`=${value}`))).toBe(true);
  });

  it.each([
    ['a CIDR of the wrong form', 'network.podCIDR=300.1.1.0/16'],
    ['two CIDRs of one family', 'network.podCIDR=10.1.0.0/16\\,10.2.0.0/16'],
    ['IPv6 before IPv4', 'network.joinCIDR=fd00::/112\\,100.64.0.0/16'],
    ['an MTU that no network has', 'network.mtu=5'],
    ['an unknown mode', 'mode=third'],
  ])('refuses %s', async (_cause, set) => {
    await expect(render(set)).rejects.toThrow(/values don't meet the specifications/);
  });
});
