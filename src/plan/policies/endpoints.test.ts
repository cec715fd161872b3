import { describe, expect, it } from 'vitest';
import type { Pod } from '../../api/objects.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import { findHolder, listNamedPorts } from './endpoints.ts';

type Attachment = NonNullable<LogicalPort['spec']['attachments']>[number];

const hold = (podName: string, more: Partial<Attachment> = {}): Attachment => ({
  podName,
  podUID: `uid-${podName}`,
  node: 'n1',
  interface: 'eth0',
  role: 'Source',
  ...more,
});
const makePort = (attachments: Attachment[]): LogicalPort => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'LogicalPort',
  metadata: { name: 'vm.default.vm', namespace: 'a' },
  spec: {
    owner: { kind: 'VirtualMachine', name: 'vm', uid: 'u' },
    nic: 'default',
    subnet: 'net',
    ips: ['10.0.0.5'],
    mac: '',
    attachments,
  },
});
const makePod = (name: string, more: Partial<Pod> = {}): Pod => ({
  metadata: { name, namespace: 'a', uid: `uid-${name}`, labels: { pod: name } },
  ...more,
});

function find(attachments: Attachment[], pods: Pod[]) {
  const byKey = new Map(pods.map((pod) => [`a/${pod.metadata.name}`, pod]));
  const holder = findHolder(makePort(attachments), (key) => byKey.get(key));
  return typeof holder === 'string' ? holder : holder.labels.pod;
}

describe('who is behind a port', () => {
  it.each<[string, Attachment[], Pod[], string]>([
    ['the pod that holds it', [hold('one')], [makePod('one')], 'one'],
    [
      'of two launchers that which runs the guest',
      [hold('two', { role: 'Target' }), hold('one')],
      [makePod('one'), makePod('two')],
      'one',
    ],
    [
      'the other one when that has ended',
      [hold('one'), hold('two', { role: 'Target' })],
      [makePod('one', { status: { phase: 'Succeeded' } }), makePod('two')],
      'two',
    ],
    ['nobody that is known while nobody holds it', [], [makePod('one')], 'unknown'],
    ['nobody that is known before the pod is seen', [hold('one')], [], 'unknown'],
    [
      'nobody that is known where the pod is another of that name',
      [hold('one', { podUID: 'old' })],
      [makePod('one')],
      'unknown',
    ],
    [
      'nobody that is known when the pod has ended',
      [hold('one')],
      [makePod('one', { status: { phase: 'Failed' } })],
      'unknown',
    ],
    [
      'nobody whom policies speak of on a second interface',
      [hold('one', { interface: 'net1' })],
      [makePod('one')],
      'uncovered',
    ],
  ])('is %s', (_cause, attachments, pods, expected) => {
    expect(find(attachments, pods)).toBe(expected);
  });

  it('is called by the name of its switch port', () => {
    const holder = findHolder(makePort([hold('one')]), () => makePod('one'));
    expect(holder).toMatchObject({ lsp: 'vm/a/vm/default', namespace: 'a', ports: [] });
  });
});

describe('the named ports of a pod', () => {
  it('are those of all its containers, by TCP where nothing else is said', () => {
    const spec = {
      containers: [
        { ports: [{ name: 'http', containerPort: 80 }, { containerPort: 81 }] },
        {},
        {
          ports: [
            { name: 'dns', containerPort: 53, protocol: 'UDP' },
            { name: 'odd', containerPort: 1, protocol: 'X' },
          ],
        },
      ],
    };
    expect(listNamedPorts({ spec })).toEqual([
      { name: 'http', protocol: 'TCP', port: 80 },
      { name: 'dns', protocol: 'UDP', port: 53 },
    ]);
    expect(listNamedPorts({})).toEqual([]);
  });
});
