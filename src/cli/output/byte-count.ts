/** Bytes on their way, in decimal units with one digit: steady while they change. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `12.4 / 31.0 MB`; `12.4 MB` while the total is not known; both in the unit of the larger. */
export function bytesOf(current: number, total?: number): string {
  const power = unitOf(Math.max(current, total ?? 0));
  const said = `${scaled(current, power)}${total === undefined ? '' : ` / ${scaled(total, power)}`}`;
  return `${said} ${UNITS[power]}`;
}

function unitOf(bytes: number): number {
  let power = 0;
  // 999.95 would be written as 1000.0.
  for (let value = bytes; value >= 999.95 && power < UNITS.length - 1; value /= 1000) power += 1;
  return power;
}

function scaled(bytes: number, power: number): string {
  return power === 0 ? String(bytes) : (bytes / 1000 ** power).toFixed(1);
}

/** `0.4s`, `1m 05s`, `2h 03m`. */
export function secondsOf(milliseconds: number): string {
  const tenths = Math.round(Math.max(0, milliseconds) / 100);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)}s`;
  const seconds = Math.round(tenths / 10);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${two(seconds % 60)}s`;
  return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}
