import { describe, expect, it } from 'vitest';
import type { LogicalPort } from '../../api/types.gen.ts';
import { applyClaims } from '../requests/claims.ts';
import { planPodRequests } from '../requests/requests.ts';
import { makeRequestContext, podWith } from '../requests/testing/requests.ts';
import { planPorts } from './ports.ts';

const port = (nic: string): LogicalPort => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'LogicalPort',
  metadata: { name: `p.${nic}.pod`, namespace: 'default' },
  spec: { owner: { kind: 'Pod', name: 'p', uid: 'u1' }, nic, subnet: 's', ips: ['10.0.0.2'], mac: '0a:00:00:00:00:01' },
});

const held = (nic: string): LogicalPort => {
  const attachment = { podName: 'p', podUID: 'u1', node: 'n1', interface: nic, role: 'Source' as const };
  return { ...port(nic), spec: { ...port(nic).spec, attachments: [attachment] } };
};

const decide = (networks: string, ports = [port('eth0'), port('net1')]) => {
  const plan = planPodRequests(podWith({ 'k8s.v1.cni.cncf.io/networks': networks }), makeRequestContext());
  const lives = { launchers: [], kubevirtKnown: true, pod: { uid: 'u1', deleting: false, final: false } };
  return planPorts({ name: 'p', lives, ports, plan: applyClaims(plan, () => undefined) });
};

describe('a running pod whose networks annotation changes', () => {
  it('gives back a NIC that is no longer listed', () => {
    expect(decide('').release.map(({ spec }) => spec.nic)).toEqual(['net1']);
  });

  it('keeps everything when the list cannot be read any more', () => {
    const decided = decide('{"name":');
    expect(decided.release).toEqual([]);
    expect(decided.keep.map((kept) => [kept.port.spec.nic, kept.problem?.reason])).toEqual([
      ['eth0', 'InvalidRequest'],
      ['net1', undefined],
    ]);
  });

  it("keeps a NIC that it holds when the NAD becomes another plugin's (F39), and gives it back afterwards", () => {
    expect(decide('foreign', [held('eth0'), held('net1')]).release).toEqual([]);
    expect(decide('foreign').release.map(({ spec }) => spec.nic)).toEqual(['net1']);
  });
});
