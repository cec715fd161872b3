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
