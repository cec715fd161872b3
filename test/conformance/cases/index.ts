import type { Case, Kind } from '../model.ts';
import { addCases } from './add.ts';
import { chainCases } from './chain.ts';
import { checkCases } from './check.ts';
import { cnitoolCases } from './cnitool.ts';
import { delCases } from './del.ts';
import { environmentCases } from './environment.ts';
import { gcCases } from './gc.ts';
import { ipamCases } from './ipam.ts';
import { statusCases } from './status.ts';
import { stdinCases } from './stdin.ts';
import { versionCases } from './version.ts';

/** What is asked whatever the plugin makes. */
const COMMON: readonly Case[] = [...statusCases, ...versionCases, ...environmentCases, ...stdinCases];

/** Every case, in the order of the document. */
export const CASES: Readonly<Record<Kind, readonly Case[]>> = {
  interface: [...addCases, ...chainCases, ...delCases, ...checkCases, ...gcCases, ...cnitoolCases, ...COMMON],
  ipam: [...ipamCases, ...COMMON],
};
