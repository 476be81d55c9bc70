/**
 * PAX extended header records, `"%d %s=%s\n"`, both ways. Keys and values are bytes: a key is held as a latin1 string
 * (one char a byte), so that nothing is lost and comparison is by byte.
 * @see POSIX pax, "pax Extended Header"
 */
import type { Timestamp } from '../spec/timestamp.ts';
import { tarInvalid } from './tar-header.ts';

/** Records whose value is a path or name: a NUL in one would mean different files to different readers. */
const TEXT_KEYS = new Set(['path', 'linkpath', 'uname', 'gname', 'GNU.sparse.name']);

/** Digits of a record's own length; enough for any record under the limit on extended headers. */
const MAX_LENGTH_DIGITS = 9;

/**
 * Calls `visit` for each record in order; `value` is a part of `content`, not a copy.
 * @throws BuilderError `tar.invalid` on anything that is not a row of well-formed records
 */
export function decodePaxRecords(content: Buffer, visit: (key: string, value: Buffer) => void): void {
  let at = 0;
  while (at < content.length) {
    const space = content.indexOf(0x20, at);
    const length = space === -1 || space - at > MAX_LENGTH_DIGITS ? undefined : decimal(content.subarray(at, space));
    const end = at + (length ?? 0);
    // Even an empty value has "=" and a line feed after the space.
    if (length === undefined || end > content.length || end < space + 3 || content[end - 1] !== 0x0a) {
      throw tarInvalid('an extended header holds a malformed record');
    }
    const equals = content.indexOf(0x3d, space + 1);
    if (equals === -1 || equals >= end - 1 || equals === space + 1) {
      throw tarInvalid('an extended header holds a record without a key');
    }
    const key = content.toString('latin1', space + 1, equals);
    const value = content.subarray(equals + 1, end - 1);
    requireNoNul(key, value);
    visit(key, value);
    at = end;
  }
}

function requireNoNul(key: string, value: Buffer): void {
  if (key.includes('\0') || (TEXT_KEYS.has(key) && value.includes(0))) {
    throw tarInvalid(`an extended header holds a NUL in its record ${JSON.stringify(key)}`);
  }
}

/** Non-negative decimal digits only: no sign, space, exponent or hex; undefined beyond 2⁵³-1 too. */
export function decimal(digits: Uint8Array): number | undefined {
  if (digits.length === 0 || digits.length > 20) return undefined;
  let value = 0;
  for (const byte of digits) {
    if (byte < 0x30 || byte > 0x39) return undefined;
    value = value * 10 + (byte - 0x30);
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : undefined;
}

const PAX_TIME = /^(-?)([0-9]{1,16})(?:\.([0-9]*))?$/;

/** Decimal seconds with an optional fraction, cut to nanoseconds; undefined when malformed. */
export function decodePaxTime(value: Buffer): Timestamp | undefined {
  // Longer than any time that makes sense; keeps the pattern's work bounded.
  if (value.length > 64) return undefined;
  const match = PAX_TIME.exec(value.toString('latin1'));
  if (match === null) return undefined;
  const whole = Number(match[2]);
  if (whole > Number.MAX_SAFE_INTEGER - 1) return undefined;
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] !== '-') return { seconds: whole, nanoseconds };
  if (nanoseconds === 0) return { seconds: whole === 0 ? 0 : -whole, nanoseconds: 0 };
  return { seconds: -whole - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}

/** The shortest decimal text of a time, without trailing zeros. */
export function encodePaxTime(time: Timestamp): string {
  if (time.nanoseconds === 0) return String(time.seconds);
  const isNegative = time.seconds < 0;
  // Nanoseconds count upwards: half a second before the epoch is { -1, 500,000,000 }.
  const whole = isNegative ? -time.seconds - 1 : time.seconds;
  const fraction = isNegative ? 1_000_000_000 - time.nanoseconds : time.nanoseconds;
  const digits = String(fraction).padStart(9, '0').replace(/0+$/, '');
  return `${isNegative ? '-' : ''}${whole}.${digits}`;
}

/** One record with its length in front, which counts its own digits. All strings are latin1: one char a byte. */
export function encodePaxRecord(key: string, value: string): string {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length += 1;
  return `${length} ${key}=${value}\n`;
}
