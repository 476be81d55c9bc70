/**
 * The records of PAX headers that change a member: those of one `x` header over the merged ones of all `g` headers.
 * An empty value in `x` cancels a global one, except for attributes, whose value may be empty.
 */
import type { Timestamp } from '../spec/timestamp.ts';
import { decimal, decodePaxRecords, decodePaxTime } from './pax-record.ts';
import { tarInvalid } from './tar-header.ts';

const SCHILY_XATTR = 'SCHILY.xattr.';
const LIBARCHIVE_XATTR = 'LIBARCHIVE.xattr.';
const NO_RECORDS: ReadonlyMap<string, Buffer> = new Map();
/** Shared by all members without attributes. */
const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();

/** An `x` header's records. */
export interface PaxRecords {
  readonly values: ReadonlyMap<string, Buffer>;
  /** Offsets and lengths of a PAX 0.0 sparse map, the only records that may repeat. */
  readonly sparsePairs: readonly (number | undefined)[];
}

/** Decodes an `x` header; of several records with one key the last counts. */
export function readPaxRecords(content: Buffer): PaxRecords {
  const values = new Map<string, Buffer>();
  const sparsePairs: (number | undefined)[] = [];
  decodePaxRecords(content, (key, value) => {
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
      const isOffset = key === 'GNU.sparse.offset';
      if ((sparsePairs.length % 2 === 0) !== isOffset) throw tarInvalid('a sparse map has its records out of order');
      sparsePairs.push(decimal(value));
    } else values.set(key, value);
  });
  return { values, sparsePairs };
}

/** The global records in force, merged over all `g` headers so far. */
export class PaxGlobals {
  readonly #values = new Map<string, Buffer>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get values(): ReadonlyMap<string, Buffer> {
    return this.#values;
  }

  add(content: Buffer): void {
    decodePaxRecords(content, (key, value) => {
      const before = this.#values.get(key);
      if (before !== undefined) this.#bytes -= key.length + before.length;
      this.#values.delete(key);
      if (value.length === 0) return;
      this.#bytes += key.length + value.length;
      if (this.#bytes > this.#maxBytes) throw tarInvalid(`global headers hold more than ${this.#maxBytes} bytes`);
      // A copy: `content` may be large and these stay until the archive ends.
      this.#values.set(key, Buffer.from(value));
    });
  }
}

/** What `x` and `g` records say about one member; each is undefined where they say nothing. */
export class PaxValues {
  readonly #own: ReadonlyMap<string, Buffer>;
  readonly #globals: ReadonlyMap<string, Buffer>;

  constructor(own: PaxRecords | undefined, globals: ReadonlyMap<string, Buffer>) {
    this.#own = own?.values ?? NO_RECORDS;
    this.#globals = globals;
  }

  bytes(key: string): Buffer | undefined {
    const value = this.#own.get(key) ?? this.#globals.get(key);
    return value === undefined || value.length === 0 ? undefined : value;
  }

  /** @throws BuilderError `tar.invalid` for anything but decimal digits below 2⁵³ */
  count(key: string): number | undefined {
    const value = this.bytes(key);
    if (value === undefined) return undefined;
    const count = decimal(value);
    if (count === undefined) throw tarInvalid(`an extended header states a malformed ${key}`, { field: key });
    return count;
  }

  /** @throws BuilderError `tar.invalid` for anything but decimal seconds */
  time(key: string): Timestamp | undefined {
    const value = this.bytes(key);
    if (value === undefined) return undefined;
    const time = decodePaxTime(value);
    if (time === undefined) throw tarInvalid(`an extended header states a malformed ${key}`, { field: key });
    return time;
  }

  /** Extended attributes; where both spellings name one, star's (raw bytes) counts. */
  xattrs(): ReadonlyMap<string, Buffer> {
    if (this.#own.size === 0 && this.#globals.size === 0) return NO_XATTRS;
    const found = new Map<string, Buffer>();
    for (const records of [this.#globals, this.#own]) {
      for (const [key, value] of records) {
        if (key.startsWith(LIBARCHIVE_XATTR)) found.set(libarchiveName(key), libarchiveValue(value));
      }
      for (const [key, value] of records) {
        if (key.startsWith(SCHILY_XATTR)) found.set(xattrName(key.slice(SCHILY_XATTR.length)), Buffer.from(value));
      }
    }
    return found.size === 0 ? NO_XATTRS : found;
  }
}

function libarchiveName(key: string): string {
  const encoded = key.slice(LIBARCHIVE_XATTR.length);
  return xattrName(encoded.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number(`0x${hex}`))));
}

/** @param latin1 one char a byte */
function xattrName(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1');
  const name = bytes.toString('utf8');
  // Attribute names pass through the kernel calls as strings, so one that does not survive that is refused.
  if (name === '' || name.includes('\0') || !Buffer.from(name).equals(bytes)) {
    throw tarInvalid(`the extended attribute name ${JSON.stringify(latin1)} cannot be used`);
  }
  return name;
}

function libarchiveValue(value: Buffer): Buffer {
  const text = value.toString('latin1');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw tarInvalid('an extended attribute has a malformed base64 value');
  return Buffer.from(text, 'base64');
}
