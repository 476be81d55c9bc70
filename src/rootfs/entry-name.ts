/** The names of archive members as paths of a tree, and as words of an error. */
import type { TarEntry } from '../archive/tar-entry.ts';
import { BuilderError } from '../report/builder-error.ts';
import { splitPath } from '../sys/root-directory.ts';
import { type ByteString, byteString } from './copy-walk.ts';

/** The entry's path: relative, clean, one character per byte; '' for the root. @throws `layer.invalid` */
export function cleanName(entry: TarEntry): ByteString {
  return cleanPath(entry.name, entry, 'name');
}

/** The same of a raw path in an entry; `what` it is, for the error. @throws `layer.invalid` */
export function cleanPath(raw: Buffer, entry: TarEntry, what: string): ByteString {
  const text = byteString(raw);
  // Nearly every name is clean as it is.
  if (CLEAN.test(text)) return text;
  const parts = splitPath(raw).map(byteString);
  if (parts.includes('..'))
    throw invalidEntry(entry, `the ${what} ${JSON.stringify(raw.toString())} has a ".." component`);
  return parts.join('/');
}

/** No empty, `.` or `..` component; components that start with a dot take the slow way. */
const CLEAN = /^[^/.][^/]*(\/[^/.][^/]*)*$/;

/** The name as it goes into messages. */
export const quoted = (entry: TarEntry): string => JSON.stringify(entry.name.toString());

/** @returns `layer.invalid` */
export function invalidEntry(entry: TarEntry, why: string, cause?: unknown): BuilderError {
  return new BuilderError('layer.invalid', `cannot apply the layer entry ${shorten(quoted(entry))}: ${why}`, {
    facts: { path: shorten(entry.name.toString()) },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Names may be as long as a header allows; a message should not be. */
function shorten(name: string): string {
  return name.length <= 300 ? name : `${name.slice(0, 300)}… (${name.length} characters)`;
}
