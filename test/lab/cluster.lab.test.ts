import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from './command.ts';
import { findNodes, findProblems } from './health.ts';
import { ctr, formatFullName } from './images/load.ts';
import { issueServiceAccountKubeconfig, kubectl, nodeExec } from './kubectl.ts';
import { findStateDir, type LabState, loadState } from './state.ts';

let lab: LabState;
beforeAll(() => {
  lab = loadState(findStateDir(process.env));
});

describe('cluster', () => {
  it('has no part that has ended', async () => {
    expect(await findProblems(lab)).toEqual([]);
  });
  it('has every node registered and ready, but for the network', async () => {
    const health = await findNodes(lab);
    expect([...health.keys()].toSorted()).toEqual(lab.nodes.map((node) => node.name));
    expect([...health.values()].filter((state) => state === 'not ready')).toEqual([]);
  });
  it('has the same images in every node', async () => {
    const wanted = ['lab.local/pause:1', 'lab.local/busybox:1', 'mooring/ovn:dev', 'mooring/mooring:dev'];
    for (const node of lab.nodes) {
      const names = (await ctr(node.containerdSocket, 'images', 'ls', '-q')).split('\n');
      expect(names).toEqual(expect.arrayContaining(wanted.map(formatFullName)));
    }
  });
});

describe('a node', () => {
  it('has its own hostname and the default paths of its own', async () => {
    for (const node of lab.nodes) {
      expect((await nodeExec(lab, node, ['hostname'])).trim()).toBe(node.name);
      await nodeExec(lab, node, ['touch', '/var/lib/mooring/lab-test']);
      expect(existsSync(`${node.dir}/mooring/lab-test`)).toBe(true);
      await nodeExec(lab, node, ['rm', '/var/lib/mooring/lab-test']);
    }
  });
  it('reaches the other nodes, the API server and the outside', async () => {
    const [first, second] = lab.nodes;
    if (first === undefined || second === undefined) throw new Error('the lab has fewer than two nodes');
    const targets = [second.mgmtIp, second.migrationIp, lab.apiserver.host, lab.outside.address];
    for (const target of targets) {
      const said = await nodeExec(lab, first, ['busybox', 'ping', '-c', '1', '-W', '2', target]);
      expect(said).toContain('1 packets received');
    }
  });
});

describe('the underlay', () => {
  it('is there with its address, on the link itself or where the chart has moved it', async () => {
    for (const node of lab.nodes) {
      const links = await nodeExec(lab, node, ['ip', '-br', 'link', 'show', 'dev', 'underlay']);
      const addresses = await nodeExec(lab, node, ['ip', '-br', '-4', 'address']);
      expect(links).toMatch(/ UP /);
      expect(addresses).toContain(` ${node.underlayIp}/24`);
    }
  });
});

describe('pods', () => {
  const namespace = 'lab-cluster-test';
  const pods = () => lab.nodes.map((node) => ({ node, name: `host-${node.name}` }));

  beforeAll(async () => {
    await kubectl(lab, ['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=60s']);
    const items = pods().map(({ node, name }) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace },
      spec: {
        nodeName: node.name,
        hostNetwork: true,
        terminationGracePeriodSeconds: 0,
        tolerations: [{ operator: 'Exists' }],
        containers: [
          {
            name: 'main',
            image: 'lab.local/busybox:1',
            imagePullPolicy: 'Never',
            command: ['sh', '-c', 'ip -4 address show dev eth0; exec sleep 3600'],
          },
        ],
      },
    }));
    const home = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [home, ...items] });
    await kubectl(lab, ['apply', '-f', '-'], { input });
    await kubectl(lab, ['-n', namespace, 'wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s']);
  });
  afterAll(async () => {
    await kubectl(lab, ['delete', 'namespace', namespace, '--wait=false']);
  });

  it('run on the network of their node', async () => {
    for (const { node, name } of pods()) {
      expect(await kubectl(lab, ['-n', namespace, 'logs', name])).toContain(`inet ${node.mgmtIp}/24`);
    }
  });
  it('can be entered through the API server and the kubelet', async () => {
    const [pod] = pods();
    const said = await kubectl(lab, ['-n', namespace, 'exec', pod?.name ?? '', '--', 'hostname']);
    expect(said.trim()).toBe(pod?.node.name);
  });
});

describe('issueServiceAccountKubeconfig', () => {
  it('acts as the account and not as the administrator', async () => {
    const request = { namespace: 'default', name: 'lab-test', path: `${lab.dir}/lab-test.kubeconfig` };
    const path = await issueServiceAccountKubeconfig(lab, request);
    const whoami = ['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'];
    expect(await runCommand([lab.bin.kubectl, '--kubeconfig', path, ...whoami])).toBe(
      'system:serviceaccount:default:lab-test',
    );
    await kubectl(lab, ['-n', 'default', 'delete', 'serviceaccount', 'lab-test']);
  });
});
