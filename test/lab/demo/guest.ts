import type { Context } from './context.ts';
export type GuestAnswer = { output: string; code: number };
export async function runGuestCommand(_context: Context, _vm: string, _command: string): Promise<GuestAnswer> {
  throw new Error('pending');
}
export async function findDowntimeMs(_context: Context, _uid: string): Promise<number> {
  throw new Error('pending');
}
