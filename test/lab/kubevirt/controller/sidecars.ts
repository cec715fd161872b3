import type { BindingPlugin, Vmi } from '../objects.ts';

/** One hook sidecar of a launcher. */
export type Sidecar = {
  readonly image: string;
  readonly imagePullPolicy?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  /** Mounts the pod's network information. */
  readonly deviceInfo?: boolean;
};

const ANNOTATION = 'hooks.kubevirt.io/hookSidecars';

/**
 * The sidecars of a launcher in KubeVirt's order: those of the VMI's annotation (pkg/hooks/hooks.go,
 * UnmarshalHookSidecarList), then one for each binding plugin that brings one. Throws SyntaxError for an annotation that is
 * no JSON; an entry without an image, KubeVirt's own shim, is not played.
 */
export function listSidecars(vmi: Vmi, plugins: readonly BindingPlugin[]): Sidecar[] {
  const text = vmi.metadata.annotations?.[ANNOTATION];
  const asked = text === undefined ? [] : (JSON.parse(text) as Partial<Sidecar>[]);
  const own = asked.flatMap(({ image, imagePullPolicy, command, args }) =>
    image === undefined || image === ''
      ? []
      : [{ image, ...(imagePullPolicy && { imagePullPolicy }), ...(command && { command }), ...(args && { args }) }],
  );
  const ofPlugins = plugins.flatMap(({ sidecarImage: image, downwardAPI }) =>
    image === undefined ? [] : [{ image, deviceInfo: downwardAPI === 'device-info' }],
  );
  return [...own, ...ofPlugins];
}
