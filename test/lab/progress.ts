/** Prints lines with the seconds since the start; the only voice of the lab's parts. */
export type Progress = {
  readonly say: (message: string) => void;
  readonly seconds: () => number;
};

/** A part of the lab failed: which, what to read and what to do. */
export class LabError extends Error {
  readonly part: string;
  constructor(part: string, message: string, hint: { readonly log?: string; readonly todo?: string } = {}) {
    const log = hint.log === undefined ? '' : `\n  read: ${hint.log}`;
    const todo = hint.todo === undefined ? '' : `\n  then: ${hint.todo}`;
    super(`${part}: ${message}${log}${todo}`);
    this.name = 'LabError';
    this.part = part;
  }
}

/** `[ 12.3s] message` */
export function formatLine(seconds: number, message: string): string {
  return `[${seconds.toFixed(1).padStart(5)}s] ${message}`;
}

/** A progress that writes lines by `write`, with time from `now` in milliseconds. */
export function createProgress(write: (line: string) => void, now: () => number): Progress {
  const start = now();
  const seconds = () => (now() - start) / 1000;
  return { seconds, say: (message) => write(formatLine(seconds(), message)) };
}
