/**
 * The lock file: what every remote input of a build resolved to, so that a later build can be held to it. The bytes
 * depend on the entries alone: sorted, one shape, a line end at the end.
 */
import { readFileSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { isDigest } from '../spec/digest.ts';
import { parsePlatform } from '../spec/platform.ts';
import { writeAtomic } from '../store/atomic-file.ts';

/** Grows when a reader of an earlier version could misunderstand what is written. */
export const LOCK_VERSION = 1;

/** An image by the name the build asks for and the platform it wants. */
export interface LockedImage {
  /** As the Dockerfile says it, variables filled in, after the source policy. */
  readonly reference: string;
  /** `os/arch[/variant]` */
  readonly platform: string;
  /** Full name it was found under; '' for an image that has none. */
  readonly name: string;
  /** Of the manifest, never of an index. */
  readonly digest: string;
}

/** URLs carry no user name and no password. */
export interface LockedDownload {
  readonly url: string;
  /** Of the body. */
  readonly digest: string;
}

export interface LockedRepository {
  readonly url: string;
  /** Whole name, in hex. */
  readonly commit: string;
}

export interface Lock {
  readonly images: readonly LockedImage[];
  readonly http: readonly LockedDownload[];
  readonly git: readonly LockedRepository[];
}

/** The text of a lock file. */
export function formatLock({ images, http, git }: Lock): string {
  const document = {
    schemaVersion: LOCK_VERSION,
    images: sorted(images, ['reference', 'platform', 'name', 'digest']),
    http: sorted(http, ['url', 'digest']),
    git: sorted(git, ['url', 'commit']),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function sorted<T extends object>(entries: readonly T[], keys: readonly (keyof T & string)[]): unknown[] {
  const rows = entries.map((entry) => keys.map((key) => [key, entry[key]] as const));
  const keyed = rows.map((row) => [JSON.stringify(row.map(([, value]) => value)), row] as const);
  const unique = [...new Map(keyed)].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return unique.map(([, row]) => Object.fromEntries(row));
}

/** @throws `lock.invalid` for a file that is missing, malformed, or of another version */
export function readLock(path: string): Lock {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new BuilderError('lock.invalid', `cannot read the lock file ${path}`, { cause });
    }
    throw new BuilderError('lock.invalid', `there is no lock file ${path}`, {
      hint: 'build once with --lock FILE, which writes it',
    });
  }
  return parseLock(text, path);
}

/** @param path for messages. @throws `lock.invalid` naming the entry */
export function parseLock(text: string, path: string): Lock {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw invalid(path, 'it is not JSON', cause);
  }
  if (!isRecord(document)) throw invalid(path, 'it is not an object');
  if (document['schemaVersion'] !== LOCK_VERSION) {
    throw invalid(path, `its schemaVersion is ${JSON.stringify(document['schemaVersion'])}, not ${LOCK_VERSION}`);
  }
  onlyKeys(path, 'the file', document, ['schemaVersion', 'images', 'http', 'git']);
  const lock: Lock = {
    images: entriesOf<LockedImage>(path, document, 'images', IMAGE_RULES),
    http: entriesOf<LockedDownload>(path, document, 'http', { url: isText, digest: isDigest }),
    git: entriesOf<LockedRepository>(path, document, 'git', { url: isText, commit: isCommit }),
  };
  requireOne(path, 'image', lock.images, ({ reference, platform }) => `${reference} for ${platform}`);
  requireOne(path, 'URL', [...lock.http, ...lock.git], ({ url }) => url);
  return lock;
}

type Rules<T> = { readonly [K in keyof T]: (value: string) => boolean };

const isText = (value: string): boolean => value !== '';
const isCommit = (value: string): boolean => /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(value);
const IMAGE_RULES: Rules<LockedImage> = {
  reference: isText,
  platform: (value) => parsePlatform(value) !== undefined,
  name: () => true,
  digest: isDigest,
};

function entriesOf<T>(path: string, document: Record<string, unknown>, key: string, rules: Rules<T>): T[] {
  const list = document[key];
  if (!Array.isArray(list)) throw invalid(path, `${key} is not a list`);
  return list.map((entry: unknown, i) => {
    const where = `${key}[${i}]`;
    if (!isRecord(entry)) throw invalid(path, `${where} is not an object`);
    onlyKeys(path, where, entry, Object.keys(rules));
    for (const [name, isGood] of Object.entries<(value: string) => boolean>(rules)) {
      const value = entry[name];
      if (typeof value !== 'string' || !isGood(value)) throw invalid(path, `${where}.${name} is malformed`);
    }
    return entry as T;
  });
}

function requireOne<T>(path: string, what: string, entries: readonly T[], nameOf: (entry: T) => string): void {
  const seen = new Set<string>();
  for (const name of entries.map(nameOf)) {
    if (seen.has(name)) throw invalid(path, `it locks the ${what} ${name} twice`);
    seen.add(name);
  }
}

/** What a later release may mean by a further key is nothing to be passed over. */
function onlyKeys(path: string, where: string, record: Record<string, unknown>, keys: readonly string[]): void {
  const unknown = Object.keys(record).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw invalid(path, `${where} has the unknown key ${JSON.stringify(unknown)}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(path: string, why: string, cause?: unknown): BuilderError {
  return new BuilderError('lock.invalid', `cannot use the lock file ${path}: ${why}`, { cause });
}

/** Writes the file unless it says the same already. Gives whether it was written. */
export function writeLock(path: string, lock: Lock): boolean {
  const text = formatLock(lock);
  try {
    if (readFileSync(path, 'utf8') === text) return false;
  } catch {
    // There is none yet.
  }
  writeAtomic(path, text, { durable: false, mode: 0o666 });
  return true;
}
