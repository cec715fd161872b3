import { kubectl } from '../kubectl.ts';
import { findPercentile } from './analyse.ts';
import { type Context, listThings } from './context.ts';
import { RELEASE_NAMESPACE } from './install.ts';

/** Durations of successful ADDs in an agent's JSON log, milliseconds. */
export function parseAddTimes(log: string): number[] {
  return log.split('\n').flatMap((line) => {
    if (!line.includes('"msg":"add"')) return [];
    const { ms } = JSON.parse(line) as { ms?: unknown };
    return typeof ms === 'number' ? [ms] : [];
  });
}

/** How long the agents took for each ADD since they started, read from their logs. */
export async function getAddTimes(context: Context): Promise<{ n: number; p50: number; p99: number }> {
  const agents = await listThings(context, 'pods', ['-n', RELEASE_NAMESPACE, '-l', 'app=mooring-agent']);
  const logs = await Promise.all(
    agents.map((pod) => kubectl(context.lab, ['-n', RELEASE_NAMESPACE, 'logs', pod.metadata.name])),
  );
  const times = logs.flatMap(parseAddTimes);
  return { n: times.length, p50: findPercentile(times, 0.5), p99: findPercentile(times, 0.99) };
}
