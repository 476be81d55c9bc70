/**
 * Names and ids of images, in one file that is replaced as a whole under a lock, so that a reader sees all of a change
 * or nothing of it.
 */
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { FileLock } from '../sys/file-lock.ts';
import { readJsonFile, writeAtomic } from './atomic-file.ts';

export interface ImageRecord {
  /** 64 hex digits: digest of the config, or of the index itself. */
  readonly id: string;
  /** Full names, newest last. */
  readonly names: readonly string[];
  /** Manifest or index. */
  readonly manifest: Descriptor;
  /** RFC 3339: when the image was made, as its config says. */
  readonly created: string;
  /** Blobs with what is said about the image, annotated with their in-toto predicate types; they go along when it is sent. */
  readonly predicates?: readonly Descriptor[];
  /** Made as a step of a build on the way to another image. */
  readonly intermediate?: boolean;
  /** Of another store that is only read: its root, and the names the image has from there. */
  readonly borrowed?: { readonly from: string; readonly names: readonly string[] };
}

interface TableFile {
  readonly version: 1;
  readonly images: readonly ImageRecord[];
}

/** A change of the whole table. */
export type EditImages = (before: readonly ImageRecord[]) => readonly ImageRecord[];

export class ImageTable {
  readonly #path: string;
  readonly #locks: string;

  constructor(path: string, locks: string) {
    this.#path = path;
    this.#locks = locks;
  }

  list(): readonly ImageRecord[] {
    const file = readJsonFile(this.#path) as TableFile | undefined;
    if (file === undefined) return [];
    if (file.version !== 1 || !Array.isArray(file.images)) {
      throw new BuilderError('store.format', `the image table ${this.#path} is of an unknown version`);
    }
    return file.images;
  }

  async edit(change: EditImages): Promise<void> {
    using _ = await FileLock.acquire(join(this.#locks, 'images'), 'exclusive');
    const before = this.list();
    const after = change(before);
    if (after === before) return;
    const file: TableFile = { version: 1, images: after };
    writeAtomic(this.#path, JSON.stringify(file));
  }

  /** Writes the whole table without reading the one that is there, which may be damaged. */
  async rewrite(images: readonly ImageRecord[]): Promise<void> {
    using _ = await FileLock.acquire(join(this.#locks, 'images'), 'exclusive');
    const file: TableFile = { version: 1, images };
    writeAtomic(this.#path, JSON.stringify(file));
  }

  /** Adds the image or its names; the names leave whatever image had them before. */
  async put(record: ImageRecord): Promise<void> {
    await this.edit((before) => withImage(before, record));
  }
}

/** The table with `record` in it: an image of the same id gains the names, and other images lose them. */
export function withImage(before: readonly ImageRecord[], record: ImageRecord): readonly ImageRecord[] {
  const stripped = before.map((image) => {
    if (image.id === record.id || !image.names.some((name) => record.names.includes(name))) return image;
    return { ...image, names: image.names.filter((name) => !record.names.includes(name)) };
  });
  const known = stripped.find((image) => image.id === record.id);
  if (known === undefined) return [...stripped, record];
  const predicates = record.predicates ?? known.predicates;
  const merged: ImageRecord = {
    ...record,
    ...(predicates === undefined ? {} : { predicates }),
    names: [...known.names.filter((name) => !record.names.includes(name)), ...record.names],
  };
  // Being wanted by somebody outweighs having been a step: an image stays visible once it was.
  const { intermediate: _, ...visible } = merged;
  const kept = known.intermediate === true && record.intermediate === true ? merged : visible;
  return stripped.map((image) => (image === known ? kept : image));
}
