/**
 * Content digests of whole trees by their fingerprint: what a build context that nobody touched is found by, without
 * asking for each of its files. A small file, the latest used first; losing it costs time and nothing else.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Digest, isDigest } from '../spec/digest.ts';
import { writeAtomic } from '../store/atomic-file.ts';
import { errnoOf } from '../sys/libc.ts';
import { makeDirectories } from '../sys/make-directories.ts';

export interface KnownTree {
  readonly digest: Digest;
  readonly files: number;
  readonly bytes: number;
}

const FILE_NAME = 'trees-v1.json';
const MOST_TREES = 256;

export class TreeMemory {
  readonly #path: string;
  /** The latest used last. */
  readonly #trees: Map<string, KnownTree>;
  #isChanged = false;

  constructor(directory: string) {
    this.#path = join(directory, FILE_NAME);
    this.#trees = readTrees(this.#path);
  }

  lookup(fingerprint: string): KnownTree | undefined {
    const known = this.#trees.get(fingerprint);
    if (known !== undefined) this.#use(fingerprint, known);
    return known;
  }

  remember(fingerprint: string, tree: KnownTree): void {
    this.#use(fingerprint, tree);
    this.#isChanged = true;
  }

  #use(fingerprint: string, tree: KnownTree): void {
    this.#trees.delete(fingerprint);
    this.#trees.set(fingerprint, tree);
  }

  /** Writes the file if something was learned. What two builds write at the same time is not merged. */
  save(): void {
    if (!this.#isChanged) return;
    const trees = [...this.#trees].slice(-MOST_TREES).reverse();
    try {
      makeDirectories(dirname(this.#path), 0o700);
      writeAtomic(this.#path, JSON.stringify(Object.fromEntries(trees)), { durable: false });
    } catch (error) {
      // What cannot be remembered is looked at again next time; no build fails for it.
      if (errnoOf(error) === undefined) throw error;
    }
    this.#isChanged = false;
  }
}

/** A file that is missing, foreign or damaged is an empty one. */
function readTrees(path: string): Map<string, KnownTree> {
  let known: unknown;
  try {
    known = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return new Map();
  }
  const entries = typeof known === 'object' && known !== null ? Object.entries(known) : [];
  return new Map(entries.filter((entry): entry is [string, KnownTree] => isTree(entry[1])).reverse());
}

function isTree(value: unknown): value is KnownTree {
  if (typeof value !== 'object' || value === null) return false;
  const { digest, files, bytes } = value as Record<string, unknown>;
  return typeof digest === 'string' && isDigest(digest) && Number.isSafeInteger(files) && Number.isSafeInteger(bytes);
}
