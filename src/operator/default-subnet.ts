import { API_VERSION } from '../api/group.ts';
import type { Subnet } from '../api/types.gen.ts';
import { isAlreadyExists } from '../kube/index.ts';
import type { Context } from './context.ts';

/** Makes the Subnet that pods are on when nothing else is asked for. One that exists is the user's and stays as it is. */
export async function ensureDefaultSubnet(context: Context, cidrBlock: string, signal: AbortSignal): Promise<void> {
  const { defaultSubnet: name, defaultVpc: vpc } = context.settings;
  if ((await context.api.subnets.find({ name }, { signal })) !== undefined) return;
  const subnet: Subnet = { apiVersion: API_VERSION, kind: 'Subnet', metadata: { name }, spec: { vpc, cidrBlock } };
  try {
    await context.api.subnets.create(subnet, { signal });
    context.log.info({ subnet: name, cidrBlock }, 'default subnet created');
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
