/** What stays on the screen of a build when it is over. */
import type { BuildProgress } from './build-progress.ts';
import { bytesOf, secondsOf } from './byte-count.ts';
import type { Ending } from './reporter.ts';
import type { Style } from './style.ts';

/**
 * `built 407f87af2cb2 in 12.3s · 7 steps · 4 cached · 48.2 MB · 2 warnings`; for a transfer alone
 * `copied 5 blobs, 31.0 MB in 4.2s`. Undefined when nothing happened that is worth a line.
 */
export function summaryText(
  p: BuildProgress,
  o: { readonly milliseconds: number; readonly ending: Ending; readonly style: Style },
): string | undefined {
  const time = secondsOf(o.milliseconds);
  const hasFailed = 'error' in o.ending || p.failed.length > 0;
  const separator = o.style.signs.separator;
  const done = p.ran + p.cached;
  if (done + p.failed.length === 0 && p.result === undefined && p.planned === undefined) {
    return hasFailed ? undefined : copiedText(p, time, separator);
  }
  const facts = [
    hasFailed && p.planned !== undefined ? `${done} of ${counted(p.planned, 'step')}` : counted(done, 'step'),
    ...(p.cached > 0 ? [`${p.cached} cached`] : []),
    ...(p.result?.sizeBytes === undefined ? [] : [bytesOf(p.result.sizeBytes)]),
    ...(p.warnings > 0 ? [counted(p.warnings, 'warning')] : []),
  ];
  const id = p.result?.id === undefined ? '' : ` ${p.result.id.slice(0, 12)}`;
  const ended = o.ending.isStopped === true ? 'stopped' : 'failed';
  return [hasFailed ? `${ended} after ${time}` : `built${id} in ${time}`, ...facts].join(separator);
}

function copiedText({ copied }: BuildProgress, time: string, separator: string): string | undefined {
  const { blobs, bytes, skipped } = copied;
  if (blobs + skipped === 0) return undefined;
  const moved = blobs === 0 ? 'nothing to copy' : `copied ${counted(blobs, 'blob')}, ${bytesOf(bytes)}`;
  return [`${moved} in ${time}`, ...(skipped > 0 ? [`${skipped} already there`] : [])].join(separator);
}

/** `1 step`, `2 steps`. */
export function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
