/**
 * A number for trees as stat describes them: paths, types, modes, owners, links, sizes, times and inodes of all that is
 * in them. Trees of one fingerprint have one content digest, since nothing can change without a ctime changing; finding
 * it takes a fraction of the time that the content digest takes from hashes that are remembered file by file.
 */
import { createHash, type Hash } from 'node:crypto';
import type { Pace } from '../rootfs/copy-pace.ts';
import type { CopyEntry } from '../rootfs/copy-walk.ts';
import type { ResolvedSource } from './copy-source.ts';
import { isSettled, STAT_KEY_WORDS, writeStatKey } from './stat-key.ts';

export interface TreeFingerprint {
  /** SHA-256 in hex. */
  readonly hex: string;
  /** Nothing in the trees was changed so lately, or has times so coarse, that a change might not show. */
  readonly isSettled: boolean;
}

/** The key, mode, uid, gid, number of links, number of entries below (plus one, 0: no directory), length of the name. */
const WORDS = STAT_KEY_WORDS + 6;
const LONGEST_NAME = 4096;
const CHUNK_BYTES = 1 << 16;

/**
 * @param heading what else the digest depends on
 * @param now ms since 1970
 * @returns undefined where something has no stat: here-documents
 */
export async function treeFingerprint(
  sources: readonly ResolvedSource[],
  o: { readonly heading: string; readonly now: number; readonly pace: Pace },
): Promise<TreeFingerprint | undefined> {
  const hash = createHash('sha256').update(JSON.stringify(['slipway-trees-1', o.heading, sources.length]));
  const writer = new EntryWriter(hash);
  let settled = true;
  for (const { entry, name, isFrame } of sources) {
    writer.text(JSON.stringify([name, isFrame]));
    const stack: CopyEntry[] = [entry];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (next.inline !== undefined || next.name.length > LONGEST_NAME) return undefined;
      writer.entry(next);
      settled &&= isSettled(next.stat, o.now);
      if (next.children !== undefined) for (const child of next.children) stack.push(child);
      if (o.pace.due()) await o.pace.rest();
    }
  }
  return { hex: writer.end(), isSettled: settled };
}

/** Facts of entries, as bytes, into a hash. */
class EntryWriter {
  readonly #hash: Hash;
  readonly #bytes = Buffer.from(new ArrayBuffer(CHUNK_BYTES + WORDS * 4 + LONGEST_NAME));
  readonly #words = new Uint32Array(this.#bytes.buffer);
  #at = 0;

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  entry({ name, stat, children }: CopyEntry): void {
    const words = this.#words;
    const at = this.#at / 4;
    writeStatKey(words, at, stat);
    words[at + STAT_KEY_WORDS] = stat.mode;
    words[at + STAT_KEY_WORDS + 1] = stat.uid;
    words[at + STAT_KEY_WORDS + 2] = stat.gid;
    words[at + STAT_KEY_WORDS + 3] = stat.nlink;
    words[at + STAT_KEY_WORDS + 4] = children === undefined ? 0 : children.length + 1;
    words[at + STAT_KEY_WORDS + 5] = name.length;
    const end = this.#at + WORDS * 4 + this.#bytes.write(name, this.#at + WORDS * 4, 'latin1');
    this.#at = (end + 3) & ~3;
    // What the last name left in the gap.
    this.#bytes.fill(0, end, this.#at);
    if (this.#at > CHUNK_BYTES) this.#flush();
  }

  text(text: string): void {
    this.#flush();
    this.#hash.update(text);
  }

  end(): string {
    this.#flush();
    return this.#hash.digest('hex');
  }

  #flush(): void {
    this.#hash.update(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
  }
}
