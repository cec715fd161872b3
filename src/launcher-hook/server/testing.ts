import { request } from 'node:https';
import type { Admission } from '../admission.ts';

/** For tests: a question as judges get it. */
export function formatAdmission(more: Partial<Admission> = {}): Admission {
  return {
    uid: 'u-1',
    operation: 'CREATE',
    kind: 'VirtualMachine',
    namespace: 'team',
    name: 'web',
    object: { metadata: { name: 'web', namespace: 'team' } },
    oldObject: null,
    dryRun: false,
    user: { name: 'jane', groups: ['devs'] },
    ...more,
  };
}

/** For tests: the body by which an API server asks that. */
export function formatQuestion(more: Partial<Admission> = {}): string {
  const { kind, user, ...rest } = formatAdmission(more);
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      ...rest,
      kind: { group: 'kubevirt.io', version: 'v1', kind },
      resource: { group: 'kubevirt.io', version: 'v1', resource: 'virtualmachines' },
      userInfo: { username: user.name, groups: user.groups, uid: 'x', extra: { a: ['b'] } },
      options: { apiVersion: 'meta.k8s.io/v1', kind: 'CreateOptions' },
    },
  });
}

export type Call = {
  readonly port: number;
  readonly ca: string;
  readonly servername: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
};
export type Reply = { readonly status: number; readonly text: string; readonly connection: string | undefined };

/** For tests: one call on a connection of its own, as an API server makes it. Rejects when the server is not trusted. */
export function callHook(call: Call): Promise<Reply> {
  const { port, ca, servername, path = '/mutate', method = 'POST', body = formatQuestion() } = call;
  const headers = { 'content-type': 'application/json', ...call.headers };
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, ca, servername, path, method, headers, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => {
        const { statusCode: status = 0, headers: got } = answer;
        resolve({ status, text: Buffer.concat(parts).toString(), connection: got.connection });
      });
    });
    sent.on('error', reject);
    sent.end(method === 'GET' ? undefined : body);
  });
}
