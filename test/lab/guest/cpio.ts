/** One file, folder or symbolic link of an initial RAM file system. `path` has no leading slash. */
export type CpioEntry =
  | { kind: 'file'; path: string; mode: number; content: Uint8Array }
  | { kind: 'dir'; path: string; mode: number }
  | { kind: 'link'; path: string; target: string };

const KIND_BITS = { file: 0o100000, dir: 0o040000, link: 0o120000 } as const;
const TRAILER = 'TRAILER!!!';

/**
 * Packs entries as a "newc" cpio archive, the form the Linux kernel unpacks as initramfs
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Same input, same bytes: owners and times are zero.
 */
export function formatCpio(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.map((entry, index) => formatEntry(entry, index + 1));
  parts.push(formatRecord({ name: TRAILER, inode: 0, mode: 0, data: Buffer.alloc(0) }));
  return Buffer.concat(parts);
}

function formatEntry(entry: CpioEntry, inode: number): Buffer {
  const permissions = entry.kind === 'link' ? 0o777 : entry.mode;
  return formatRecord({ name: entry.path, inode, mode: KIND_BITS[entry.kind] | permissions, data: dataOf(entry) });
}

function dataOf(entry: CpioEntry): Uint8Array {
  if (entry.kind === 'file') return entry.content;
  return Buffer.from(entry.kind === 'link' ? entry.target : '');
}

function formatRecord(record: { name: string; inode: number; mode: number; data: Uint8Array }): Buffer {
  const name = Buffer.from(`${record.name}\0`);
  const numbers = [record.inode, record.mode, 0, 0, 1, 0, record.data.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${numbers.map((n) => n.toString(16).padStart(8, '0')).join('')}`);
  return Buffer.concat([padded(Buffer.concat([header, name])), padded(record.data)]);
}

function padded(data: Uint8Array): Buffer {
  return Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
}
