/** Runs a program without blocking this process, and measures the memory it took. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandOptions, CommandResult } from './command.ts';

export interface MeasuredResult extends CommandResult {
  /** Peak of the largest process: KiB. */
  readonly peakKiB: number;
}

/** Needs `/usr/bin/time`. Whatever comes of the program, it is over when this returns; its time limit is a minute. */
export async function measuredCommand(
  program: string,
  args: readonly string[],
  o: CommandOptions = {},
): Promise<MeasuredResult> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-measure-'));
  const report = join(folder, 'peak');
  try {
    // `time` itself stays who started the tests, so that it may write its report.
    const identity = o.uid === undefined ? [] : ['setpriv', `--reuid=${o.uid}`, `--regid=${o.gid}`, '--clear-groups'];
    const words = ['-q', '-f', '%M', '-o', report, ...identity, program, ...args];
    const child = spawn('/usr/bin/time', words, {
      env: o.env ?? process.env,
      cwd: o.cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: o.timeoutMs ?? 60_000,
      killSignal: 'SIGKILL',
      detached: true,
    });
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        texts[name] += text;
      });
    }
    const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject).once('close', (code, name) => resolve([code, name]));
    });
    return {
      status: status ?? -1,
      signal: signal ?? undefined,
      ...texts,
      peakKiB: Number(readFileSync(report, 'utf8')),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
