/** An OVSDB (RFC 7047) client: a live replica of chosen tables, and transactions with typed errors. */
export type { BackoffOptions } from './backoff.ts';
export type { RowChange } from './cache.ts';
export * from './client.ts';
export * from './errors.ts';
export { formatJson, parseJson } from './json.ts';
export type { MonitorClause, TableSpec } from './monitor.ts';
export * from './operations.ts';
export * from './schema.ts';
export { createIndex, type TableIndex } from './table-index.ts';
export { fixIdentities, type OnceOptions, type OnceOutcome, transactOnce } from './transact-once.ts';
export { materialFromFiles, parseRemote, type Remote, type TlsMaterial, type TlsOptions } from './transport.ts';
export * from './values.ts';
