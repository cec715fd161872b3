import { formatMicroTime } from './lease-record.ts';
import type { ResourceKind } from './resource.ts';
import type { KubeObject, ObjectMeta } from './types.ts';

/** What happened to an object. `note` is for people, 1 kB at most; `reason` and `action` are CamelCase words. */
export type EventNote = {
  type: 'Normal' | 'Warning';
  reason: string;
  action: string;
  note: string;
  related?: KubeObject | undefined;
};

/** Who reports, and the parts of a name that no other event has. */
export type EventSource = { component: string; instance: string; date: Date; random: number };

/** `events.k8s.io/v1` Event. */
export type EventObject = {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  series?: { count: number; lastObservedTime: string };
};

/** Where events are. */
export const EVENT: ResourceKind = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  namespaced: true,
  kind: 'Event',
};

/** Two events with the same key tell the same thing and become one with a count. */
export function formatSeriesKey(regarding: KubeObject, note: EventNote): string {
  const { uid, namespace, name } = regarding.metadata ?? {};
  return JSON.stringify([regarding.kind, uid, namespace, name, note.type, note.reason, note.action, note.note]);
}

/**
 * The body of an event, cut to the lengths that the API server checks (pkg/apis/core/validation/events.go). Events
 * about cluster objects live in `default`: anything else is refused.
 */
export function formatEvent(source: EventSource, regarding: KubeObject, note: EventNote): EventObject {
  const { name = 'unknown', namespace = 'default' } = regarding.metadata ?? {};
  const suffix = `${source.date.getTime().toString(16)}${Math.floor(source.random * 2 ** 48).toString(16)}`;
  const body = {
    metadata: { name: `${name.slice(0, 200).replace(/[.-]+$/, '')}.${suffix}`, namespace },
    eventTime: formatMicroTime(source.date),
    reportingController: source.component,
    reportingInstance: source.instance.slice(0, 128),
    type: note.type,
    reason: note.reason.slice(0, 128),
    action: note.action.slice(0, 128),
    note: cutUtf8(note.note, 1024),
    regarding: formatReference(regarding),
    ...(note.related === undefined ? {} : { related: formatReference(note.related) }),
  };
  return body;
}

function cutUtf8(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= maxBytes) return text;
  return bytes
    .subarray(0, maxBytes - 3)
    .toString('utf8')
    .replace(/\uFFFD$/, '');
}

function formatReference(object: KubeObject) {
  const { name, namespace, uid, resourceVersion } = object.metadata ?? {};
  return { apiVersion: object.apiVersion, kind: object.kind, name, namespace, uid, resourceVersion };
}
