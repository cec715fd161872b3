/** What can be wrong with the node's Open vSwitch. `code` is stable. */
export class OvsProblem extends Error {
  override readonly name: string = 'OvsProblem';
  readonly code: 'bridge-missing' | 'port-taken' | 'interface-failed' | 'interface-missing' | 'evicted';
  readonly class: 'retry' | 'terminal';
  constructor(code: OvsProblem['code'], problemClass: OvsProblem['class'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.class = problemClass;
  }
}
