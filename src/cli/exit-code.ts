/** What the process answers to its caller. */
import type { ExitStatus } from '../index.ts';
import { isCoded } from './output/error-text.ts';

/** Everything that Slipway itself cannot do. */
export const FAILURE = 125;

/** A command's own code; 1 when a signal ended it. */
export function statusCode(status: ExitStatus): number {
  return status.kind === 'exited' ? status.code : 1;
}

/** The words for a status: `exit status 42`, `killed by SIGKILL`. */
export function statusText(status: ExitStatus): string {
  return status.kind === 'exited' ? `exit status ${status.code}` : `killed by ${status.signal}`;
}

/** A failing step gives its own code, found in the facts of the error or of what caused it; all else is 125. */
export function errorCode(error: unknown): number {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (!isCoded(e) || (e.code !== 'step.failed' && e.code !== 'build.failed')) continue;
    const { exitCode, signal } = e.facts ?? {};
    if (signal !== undefined) return 1;
    if (typeof exitCode === 'number' && exitCode > 0 && exitCode < 256) return exitCode;
  }
  return FAILURE;
}
