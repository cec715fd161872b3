const WAYS = {
  bridge: { bridge: {} },
  managedTap: { binding: { name: 'managedtap' } },
  masquerade: { masquerade: {} },
} as const;
/** The bindings that benchmarks compare on the pod network. */
export type PodBinding = keyof typeof WAYS;

export type GuestSpec = {
  readonly namespace: string;
  readonly name: string;
  readonly binding: PodBinding;
  readonly annotations: Readonly<Record<string, string>>;
  /** Where it has to run; left out: anywhere. */
  readonly node?: string;
};

/** A running VM with one NIC on the pod network; two that differ in the binding differ in nothing else. */
export function formatGuest({ namespace, name, binding, annotations, node }: GuestSpec): object {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name, namespace },
    spec: {
      runStrategy: 'Always',
      template: {
        metadata: { annotations },
        spec: {
          ...(node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': node } }),
          terminationGracePeriodSeconds: 0,
          domain: {
            cpu: { cores: 1 },
            memory: { guest: '128Mi' },
            devices: { interfaces: [{ name: 'default', ...WAYS[binding] }] },
          },
          networks: [{ name: 'default', pod: {} }],
        },
      },
    },
  };
}
