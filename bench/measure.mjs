/** Runs one program as one user and says how long it took and how much memory its largest process had. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/**
 * @param {readonly string[]} argv
 * @param {{ uid?: number, gid?: number, env: NodeJS.ProcessEnv, cwd?: string }} as
 * @returns {{ seconds: number, peakMiB: number, stdout: string }}
 */
export function measure(argv, as) {
  const report = join(folder, 'time');
  const { uid, gid, ...rest } = as;
  // The report is written by `time` as root; the program itself runs as the user.
  const user = uid ? ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'] : [];
  const startedAt = process.hrtime.bigint();
  const done = spawnSync('/usr/bin/time', ['-f', '%M', '-o', report, ...user, ...argv], {
    ...rest,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
  if (done.status !== 0) throw new Error(`${argv.join(' ')}: exit code ${done.status}\n${done.stderr?.slice(-2000)}`);
  const peakKiB = Number(readFileSync(report, 'utf8').trim().split('\n').at(-1));
  return { seconds, peakMiB: peakKiB / 1024, stdout: done.stdout.trim() };
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
