import { createTransport, loadEndpoint, systemClock } from '../kube/index.ts';

export type Program<Values> = {
  readonly name: string;
  readonly help: string;
  /** Throws on a command line that is wrong. */
  readonly parse: () => Values;
  /** Runs until the program is told to stop. */
  readonly run: (values: Values) => Promise<void>;
};

/** `--help`, or the program to its end; an error is told on standard error. Resolves to the exit code. */
export async function runProgram<Values extends { help?: boolean }>(program: Program<Values>): Promise<number> {
  try {
    const values = program.parse();
    if (values.help === true) process.stdout.write(program.help);
    else await program.run(values);
    return 0;
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`${program.name}: ${text}\n`);
    return 1;
  }
}

/** The API server of a kubeconfig or of the pod's service account, at another address where one is given. */
export async function connect(userAgent: string, values: { kubeconfig: string; 'api-server': string }) {
  const endpoint = await loadEndpoint({
    source: values.kubeconfig === '' ? { kind: 'inCluster' } : { kind: 'kubeconfig', path: values.kubeconfig },
    ...(values['api-server'] === '' ? {} : { server: values['api-server'] }),
  });
  return { endpoint, transport: createTransport({ endpoint, clock: systemClock, userAgent }) };
}
