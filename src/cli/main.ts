/**
 * The program. Everything between the process and its command line is here: streams, signals and the exit code; what the
 * words mean is `run-program.ts`.
 */
import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { streamOutput } from './output/output.ts';
import { FAILURE, runProgram } from './run-program.ts';

/** The reader of our output is gone; programs written in C or Go die of SIGPIPE then. */
const BROKEN_PIPE = 128 + constants.signals.SIGPIPE;

const abort = new AbortController();
let forced: number | undefined;
let isOver = false;

// A promise that never settles lets Node end silently and with success. Unless `main` reached its end, it is a failure.
process.exitCode = FAILURE;
process.on('exit', () => {
  if (!isOver) writeSync(2, 'Error: internal: the program stopped before its work was done\n');
});

function stop(code: number, reason: string): void {
  forced ??= code;
  abort.abort(new Error(reason));
}

function onSignal(name: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void {
  const code = 128 + constants.signals[name];
  if (abort.signal.aborted && name === 'SIGINT') {
    isOver = true;
    process.exit(code);
  }
  stop(code, `stopped by ${name}`);
}
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => onSignal(name));

const stderr = streamOutput(
  () => process.stderr,
  2,
  () => {},
);
const stdout = streamOutput(
  () => process.stdout,
  1,
  (error) => {
    if (error.code !== 'EPIPE') stderr.write(`Error: cannot write to standard output: ${error.message}\n`);
    stop(error.code === 'EPIPE' ? BROKEN_PIPE : FAILURE, 'nobody takes the output');
  },
);

async function main(): Promise<void> {
  const code = await runProgram({
    argv: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    get stdin() {
      // Touching stdin opens it; most commands never read.
      return process.stdin;
    },
    stdout,
    stderr,
    signal: abort.signal,
    now: Date.now,
    library: () => import('../index.ts'),
  });
  await Promise.all([stdout.flush(), stderr.flush()]);
  isOver = true;
  process.exit(forced ?? code);
}

void main();
