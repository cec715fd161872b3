import { createTransport, loadEndpoint, systemClock } from '../kube/index.ts';

/** The API server of a kubeconfig or of the pod's service account, at another address where one is given. */
export async function connect(userAgent: string, values: { kubeconfig: string; 'api-server': string }) {
  const endpoint = await loadEndpoint({
    source: values.kubeconfig === '' ? { kind: 'inCluster' } : { kind: 'kubeconfig', path: values.kubeconfig },
    ...(values['api-server'] === '' ? {} : { server: values['api-server'] }),
  });
  return { endpoint, transport: createTransport({ endpoint, clock: systemClock, userAgent }) };
}
