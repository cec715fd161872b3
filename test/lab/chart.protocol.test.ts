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
const RELEASE = 'mooring-system';

let helm: string;
beforeAll(async () => {
  const cache = findCacheDir(process.env);
  mkdirSync(cache, { recursive: true });
  helm = await ensureHelm(cache);
}, BUILD_MS);

type Workload = {
  kind: string;
  metadata: { name: string };
  spec?: { replicas?: number; template?: { spec: { containers: { args?: string[] }[] } } };
};

/** The chart's objects as it renders them with the lab's values and these. */
async function renderAll(...sets: string[]): Promise<Workload[]> {
  const flags = ['-n', RELEASE, '-f', VALUES, ...sets.flatMap((set) => ['--set', set])];
  const { stdout } = await promisify(execFile)(helm, ['template', 'mooring', CHART, ...flags]);
  return parseAllDocuments(stdout).flatMap((document) => (document.toJS() as Workload | null) ?? []);
}

/** Each program's arguments, by the name of its workload. */
async function render(...sets: string[]): Promise<Map<string, string[]>> {
  return new Map(
    (await renderAll(...sets)).flatMap(({ metadata, spec }) =>
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
    expect(programs.get('mooring-agent')).toEqual(
      expect.arrayContaining(['--default-mtu=0', '--ovn-run-dir=/run/ovn']),
    );
    for (const args of programs.values()) expect(args).not.toContain('--secondary');
  });

  it('serves NetworkPolicies, and may read them, unless it is told not to', async () => {
    const reads = async (...sets: string[]) => JSON.stringify(await renderAll(...sets)).includes('"networkpolicies"');
    expect((await render()).get('mooring-operator')).toContain('--network-policies');
    expect(await reads()).toBe(true);
    expect((await render('networkPolicies=false')).get('mooring-operator')).not.toContain('--network-policies');
    expect(await reads('networkPolicies=false')).toBe(false);
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

type Webhook = {
  readonly failurePolicy: string;
  readonly sideEffects: string;
  readonly timeoutSeconds: number;
  readonly clientConfig: { readonly caBundle?: string; readonly service: object };
  readonly rules: readonly {
    readonly apiGroups: string[];
    readonly resources: string[];
    readonly operations: string[];
  }[];
  readonly namespaceSelector: { readonly matchExpressions: readonly object[] };
  readonly matchConditions: readonly { readonly name: string }[];
};

/** Our webhooks by the kind of their configuration. */
async function renderWebhooks(...sets: string[]): Promise<Map<string, Webhook[]>> {
  const objects = (await renderAll(...sets)) as unknown as { kind: string; webhooks?: Webhook[] }[];
  return new Map(objects.flatMap(({ kind, webhooks }) => (webhooks === undefined ? [] : [[kind, webhooks]])));
}

const isHook = ({ metadata }: Workload): boolean => metadata.name.startsWith('mooring-hook');

describe('the webhook in the chart', () => {
  it('is there unless it is switched off, and then nothing of it is', async () => {
    expect((await renderAll()).filter(isHook).map(({ kind }) => kind)).toEqual(
      expect.arrayContaining([
        'Deployment',
        'Service',
        'PodDisruptionBudget',
        'Secret',
        'MutatingWebhookConfiguration',
      ]),
    );
    expect((await renderAll('hook.enabled=false')).filter(isHook)).toEqual([]);
  });

  it('has two replicas, or as many as are asked for', async () => {
    const count = async (...sets: string[]) =>
      (await renderAll(...sets)).find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'mooring-hook')
        ?.spec?.replicas;
    expect(await count()).toBe(2);
    expect(await count('hook.replicas=3')).toBe(3);
    await expect(count('hook.replicas=0')).rejects.toThrow('replicas');
  });

  it('tells its program where it is, which binding is the default, and whose network pods have', async () => {
    const usual = (await render()).get('mooring-hook');
    expect(usual).toEqual(
      expect.arrayContaining([
        'serve',
        `--namespace=${RELEASE}`,
        '--port=9478',
        '--metrics-port=9479',
        '--binding=asIs',
      ]),
    );
    expect(usual).not.toContain('--secondary');
    const told = (await render('hook.port=19478', 'bindings.default=auto', 'mode=secondary')).get('mooring-hook');
    expect(told).toEqual(expect.arrayContaining(['--port=19478', '--binding=auto', '--secondary']));
    await expect(render('bindings.default=tap')).rejects.toThrow('default');
  });

  it.each([[[]], [['policies.enabled=false']], [['bindings.registerManagedTap=true', 'mode=secondary']]])(
    'tells its program of just the policies that there are, with %j',
    async (sets) => {
      const names = async (kind: string) =>
        (await renderAll(...sets)).filter((object) => object.kind === kind).map(({ metadata }) => metadata.name);
      const flag = (await render(...sets)).get('mooring-hook')?.find((arg) => arg.startsWith('--policies='));
      const told = flag?.replace('--policies=', '').split(',').toSorted();
      expect(told).toEqual((await names('ValidatingAdmissionPolicy')).toSorted());
      expect(told).toEqual((await names('ValidatingAdmissionPolicyBinding')).toSorted());
    },
  );

  it('keeps nobody from anything while it is away, is asked for machines alone, and leaves the authority to its program', async () => {
    const webhooks = await renderWebhooks();
    expect([...webhooks.keys()].toSorted()).toEqual(['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration']);
    for (const [webhook, ...more] of webhooks.values()) {
      expect(more).toEqual([]);
      expect(webhook).toMatchObject({ failurePolicy: 'Ignore', sideEffects: 'None', timeoutSeconds: 2 });
      expect(webhook?.rules).toMatchObject([
        {
          apiGroups: ['kubevirt.io'],
          resources: ['virtualmachines', 'virtualmachineinstances'],
          operations: ['CREATE', 'UPDATE'],
        },
      ]);
      expect(webhook?.clientConfig.service).toMatchObject({ name: 'mooring-hook', namespace: RELEASE, port: 443 });
      expect(webhook?.clientConfig).not.toHaveProperty('caBundle');
    }
  });

  it('is not asked about our own namespace and those that do without it, nor about status and deletion', async () => {
    const webhooks = [...(await renderWebhooks()).values()];
    expect(webhooks).toHaveLength(2);
    for (const [webhook] of webhooks) {
      expect(webhook?.namespaceSelector.matchExpressions).toEqual([
        { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-system', RELEASE] },
        { key: 'mooring.dev/webhook', operator: 'NotIn', values: ['ignore'] },
      ]);
      expect(webhook?.matchConditions.map(({ name }) => name)).toEqual([
        'asks-for-something-new',
        'is-not-being-deleted',
      ]);
    }
  });
});
