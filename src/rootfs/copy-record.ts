/**
 * The digest of a copy: one line of facts per file, hashed in order. Everything that reaches the image counts except
 * the time of modification, so touching a file changes nothing and renaming one does.
 */
import { createHash, hash as hashOnce } from 'node:crypto';
import { type Digest, digestFromHex } from '../spec/digest.ts';
import type { ByteString } from './copy-walk.ts';
import type { Xattrs } from './copy-xattr.ts';

export type RecordKind = 'file' | 'directory' | 'symlink' | 'link' | 'fifo' | 'character' | 'block';

export interface CopyRecord {
  readonly kind: RecordKind;
  /** Source number and path below its top. */
  readonly path: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** File: SHA-256 in hex; symlink: its target; link: the path of the first name; device: `major:minor`. */
  readonly content: ByteString;
  readonly sizeBytes: number;
  readonly xattrs?: Xattrs | undefined;
}

const FLUSH_CHARACTERS = 1 << 16;

/** Half a million files; more would take memory for a sentence that nobody reads to its end. */
const MOST_KEPT_CHARACTERS = 64 << 20;

export class TreeDigest {
  readonly #hash = createHash('sha256').update('slipway-copy-1\0');
  readonly #kept: string[] | undefined;
  #keptLength = 0;
  #pending = '';

  /** @param o keep: what was hashed can be asked for, to tell later what changed */
  constructor(o: { readonly keep?: boolean | undefined } = {}) {
    this.#kept = o.keep === true ? [] : undefined;
  }

  add(r: CopyRecord): void {
    // NUL cannot occur in a name, so no two different trees give the same text.
    const extra = r.xattrs === undefined ? '' : xattrText(r.xattrs);
    this.#pending += `${r.kind}\0${r.path}\0${r.mode.toString(8)}\0${r.uid}\0${r.gid}\0${r.sizeBytes}\0${r.content}\0${extra}\n`;
    if (this.#pending.length > FLUSH_CHARACTERS) this.#flush();
  }

  #flush(): void {
    this.#hash.update(this.#pending, 'latin1');
    this.#keptLength += this.#pending.length;
    if (this.#keptLength <= MOST_KEPT_CHARACTERS) this.#kept?.push(this.#pending);
    this.#pending = '';
  }

  /** The records in pieces, after `digest`; undefined when they were not kept or are too many to keep. */
  get records(): readonly string[] | undefined {
    return this.#keptLength <= MOST_KEPT_CHARACTERS ? this.#kept : undefined;
  }

  /** Ends it; nothing may be added afterwards. */
  digest(): Digest {
    this.#flush();
    return digestFromHex(this.#hash.digest('hex'));
  }
}

function xattrText(xattrs: Xattrs): string {
  return [...xattrs].map(([name, value]) => `${name}=${hashOnce('sha256', value, 'hex')}`).join(',');
}
