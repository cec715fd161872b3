import type { ResourceKind } from '../../src/kube/index.ts';

/** The kind by which an API server is taught other kinds. */
export const CRD: ResourceKind = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  namespaced: false,
  kind: 'CustomResourceDefinition',
};
