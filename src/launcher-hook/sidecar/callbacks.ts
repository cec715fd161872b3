import { NIC_DEVICES } from '../../api/annotations.ts';
import { parseNicDevices } from '../../api/nic-devices.ts';
import type { Logger } from '../../kube/types.ts';
import { planCloudInit } from './cloud-init.ts';
import { planDomain } from './devices.ts';
import { parseVmi } from './vmi.ts';
import type { CloudInitParams, CloudInitResult, DomainParams, DomainResult } from './wire.ts';

/**
 * KubeVirt's OnDefineDomain. Never throws: an error would keep the guest from its start, so what cannot be done is told in
 * the log, and the domain handed back as it came.
 */
export function defineDomain({ domainXML, vmi }: DomainParams, logger: Logger): DomainResult {
  return attempt({ domainXML }, logger, () => {
    const facts = parseVmi(vmi);
    const text = facts?.annotations.get(NIC_DEVICES);
    if (facts === undefined) logger.warn({}, 'domain left as it is: the VMI cannot be read');
    if (text === undefined) return { domainXML };
    const { devices, problems } = parseNicDevices(text);
    const xml = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(domainXML);
    const plan = planDomain(xml, devices);
    for (const note of [...problems, ...plan.notes]) logger.warn({ note }, 'device of a NIC left as it is');
    if (plan.xml === xml) return { domainXML };
    logger.info({ nics: [...devices.keys()] }, 'devices of NICs set');
    return { domainXML: Buffer.from(plan.xml) };
  });
}

/** KubeVirt's PreCloudInitIso. Never throws; see above. */
export function configureGuest(params: CloudInitParams, logger: Logger): CloudInitResult {
  const { cloudInitData, cloudInitNoCloudSource } = params;
  return attempt({ cloudInitData, cloudInitNoCloudSource }, logger, () => {
    const plan = planCloudInit({ data: cloudInitData, noCloudSource: cloudInitNoCloudSource }, params.vmi);
    if (plan.note === undefined) logger.info({}, 'network data filled in');
    else logger.warn({ note: plan.note }, 'network data left as they are');
    return { cloudInitData: plan.cloudInit.data, cloudInitNoCloudSource: plan.cloudInit.noCloudSource };
  });
}

function attempt<T>(unchanged: T, logger: Logger, run: () => T): T {
  try {
    return run();
  } catch (error) {
    logger.error({ err: error }, 'hook call failed; what came is handed back');
    return unchanged;
  }
}
