/**
 * Every reason that a condition or an event of ours can carry, with the sentence that the documents show.
 * Status and event always use the same constant.
 */
export const REASONS = {
  Allocated: 'The address is reserved for this NIC.',
  AddressConflict: 'Another live port holds this address or MAC in the same network; the younger one waits.',
  AddressOutsideSubnet: 'The requested address is not inside the subnet.',
  AddressReserved: 'The requested address is the gateway, a network or broadcast address, or excluded.',
  AddressInUse: 'The requested address belongs to another owner.',
  SubnetFull: 'The subnet has no free address left.',
  SubnetNotFound: 'The subnet does not exist.',
  SubnetNotReady: 'The subnet exists but is not usable; see its own condition.',
  SubnetNotAllowed: 'This namespace may not use the subnet.',
  InvalidCIDR: 'cidrBlock is not a usable network.',
  CIDROverlap: 'cidrBlock overlaps with another subnet of the same VPC.',
  InvalidGateway: 'The gateway is not a usable address of the subnet.',
  InvalidExcludeIps: 'An entry of excludeIps is not an address or a range inside the subnet.',
  Ready: 'Everything asked for is in place.',
  InvalidRequest: 'An annotation that asks for an address or network cannot be understood.',
  RequestDisagreement: 'Two sources ask for different things for the same NIC.',
  NetworkAttachmentNotFound: 'The NetworkAttachmentDefinition does not exist.',
  NetworkAttachmentInvalid: 'The NetworkAttachmentDefinition cannot be used.',
  Programmed: 'The port is in OVN as wanted.',
  ProgrammingFailed: 'OVN refused the rows; the message says why. Tried again with backoff.',
  OVNUnavailable: 'The OVN databases cannot be reached; the present ports keep working.',
  Bound: 'The chassis of the node has claimed the port.',
  NotAttached: 'No running pod holds the port. Its address stays reserved.',
  WaitingForChassis: 'The port is asked for by a node whose chassis has not claimed it yet.',
  MigrationPrepared: 'The target node is prepared; the guest still runs on the source.',
  MigrationActivated: 'The guest has begun to run on the target.',
  MigrationSettled: 'The port is bound to the node where the guest runs.',
  MigrationRolledBack: 'The migration did not happen; the port is bound to the source as before.',
  MigrationNotSupported: 'Migration across namespaces or clusters is not supported.',
  NotMigrating: 'No migration is under way.',
  Released: 'The owner is gone and the address is free again.',
  AttachFailed: 'The node could not attach the pod; the message names the stage.',
} as const satisfies Record<string, string>;

export type Reason = keyof typeof REASONS;
