/**
 * Why connections were not carried. `unknownPeer`: the other agent has published no usable key (an older one, or it
 * starts); `unreachable`: no connection; `refused`: it, or what it is, was not accepted; `protocol`: it said what none of
 * ours says; `closed`: it ended the session.
 */
export type CarryProblem = 'unknownPeer' | 'unreachable' | 'refused' | 'protocol' | 'closed' | 'kernel';

/** All of them are worth another attempt while the port still moves. */
export class CarryError extends Error {
  override readonly name = 'CarryError';
  readonly class = 'retry';
  readonly problem: CarryProblem;

  constructor(problem: CarryProblem, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.problem = problem;
  }
}
