/** What the exit code of a failed command means, where it says more than "no". */
import { constants } from 'node:os';

/** The convention of shells: 126 and 127 are theirs, above 128 is a signal. */
const WORDS: Readonly<Record<number, string>> = {
  126: 'not executable',
  127: 'command not found',
};

const SIGNAL_WORDS: Readonly<Record<string, string>> = {
  SIGKILL: ' (out of memory?)',
  SIGSEGV: ' (it crashed)',
  SIGABRT: ' (it gave up by itself)',
  SIGBUS: ' (it crashed)',
  SIGILL: ' (an instruction this processor does not have)',
  SIGSYS: ' (a system call that is not allowed)',
};

/**
 * `exit 127: command not found`, `exit 137: killed by SIGKILL (out of memory?)`, `killed by SIGSEGV (it crashed)`.
 * @param facts of an error; `exitCode` or `signal` are looked at
 */
export function exitWords(facts: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const { exitCode, signal } = facts ?? {};
  if (typeof signal === 'string') return signalWords(signal);
  if (typeof exitCode !== 'number') return undefined;
  const name = exitCode > 128 ? signalName(exitCode - 128) : undefined;
  const words = name === undefined ? WORDS[exitCode] : signalWords(name);
  return words === undefined ? undefined : `exit ${exitCode}: ${words}`;
}

function signalWords(name: string): string {
  return `killed by ${name}${SIGNAL_WORDS[name] ?? ''}`;
}

function signalName(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
}
