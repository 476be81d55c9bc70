/** Runs programs for tests: whole output kept, a failure shows what was run and what it said. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly input?: string | Buffer;
  readonly timeoutMs?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export interface CommandResult {
  /** Exit code; -1 when a signal ended it. */
  readonly status: number;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const OUTPUT_LIMIT = 256 * 1024 * 1024;

/** Runs a program to its end and gives what it said, whatever its exit code. */
export function tryCommand(program: string, args: readonly string[], o: CommandOptions = {}): CommandResult {
  const done = spawnSync(program, args, {
    env: o.env ?? process.env,
    cwd: o.cwd,
    input: o.input ?? '',
    timeout: o.timeoutMs ?? 300_000,
    killSignal: 'SIGKILL',
    maxBuffer: OUTPUT_LIMIT,
    ...(o.uid === undefined ? {} : { uid: o.uid }),
    ...(o.gid === undefined ? {} : { gid: o.gid }),
  });
  if (done.error !== undefined && done.status === null && done.signal === null) throw done.error;
  return {
    status: done.status ?? -1,
    signal: done.signal ?? undefined,
    stdout: done.stdout.toString('utf8'),
    stderr: done.stderr.toString('utf8'),
  };
}

/** Runs a program that must succeed and gives its standard output. */
export function command(program: string, args: readonly string[], o: CommandOptions = {}): string {
  const result = tryCommand(program, args, o);
  if (result.status !== 0) throw new Error(failureText(program, args, result));
  return result.stdout;
}

/** What failed, with the last part of what it said. */
export function failureText(program: string, args: readonly string[], result: CommandResult): string {
  const ended = result.signal === undefined ? `exit code ${result.status}` : `signal ${result.signal}`;
  const said = [result.stdout.slice(-3000), result.stderr.slice(-6000)].filter((text) => text !== '').join('\n---\n');
  return `${[program, ...args].join(' ')}: ${ended}\n${said}`;
}

/** Where a program is on the PATH of the tests, the administrator's folders included. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return undefined;
}

/** The reason to skip a test that needs these programs, or false. */
export function missingPrograms(...names: readonly string[]): string | false {
  const missing = names.filter((name) => findProgram(name) === undefined);
  return missing.length === 0 ? false : `not installed: ${missing.join(', ')}`;
}

/** The first reason to skip, or false when there is none. */
export function firstReason(...reasons: readonly (string | false | undefined)[]): string | false {
  for (const reason of reasons) if (typeof reason === 'string') return reason;
  return false;
}
