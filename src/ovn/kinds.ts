import { ACL, GROUP_ACL } from './acl.ts';
import { DHCP_OPTIONS } from './dhcp-options.ts';
import type { Kind } from './kind.ts';
import { PORT_GROUP } from './port-group.ts';
import { ROUTER } from './router.ts';
import { ROUTER_POLICY } from './router-policy.ts';
import { ROUTER_PORT } from './router-port.ts';
import { STATIC_ROUTE } from './static-route.ts';
import { SWITCH } from './switch.ts';
import { SWITCH_PORT } from './switch-port.ts';

/** Every table whose rows we manage. A new one is a file like its neighbours and a line here. */
export const KINDS: readonly Kind[] = [
  SWITCH,
  ROUTER,
  DHCP_OPTIONS,
  SWITCH_PORT,
  ROUTER_PORT,
  STATIC_ROUTE,
  ROUTER_POLICY,
  ACL,
  PORT_GROUP,
  GROUP_ACL,
];
