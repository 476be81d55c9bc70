/**
 * What is known of layers beyond their bytes: the size of the tar, the compressed forms it was seen in, the registries
 * that hold those, and the snapshot in which a stack of layers is unpacked.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Descriptor } from '../spec/descriptor.ts';
import { type ChainId, type DiffId, hexOf } from '../spec/digest.ts';
import { readJsonFile, writeAtomic } from './atomic-file.ts';

/** A compressed form of a layer that exists as a blob, or did: `from` names `registry/repository` places that hold it. */
export interface LayerForm {
  readonly descriptor: Descriptor;
  readonly from: readonly string[];
}

export interface LayerRecord {
  /** Bytes of the uncompressed tar; undefined until it was read once. */
  readonly size: number | undefined;
  readonly forms: readonly LayerForm[];
  /** Snapshot that was committed as this layer: its difference to its parent is the tar. */
  readonly snapshot?: string;
}

/** Where a stack of layers is unpacked. */
export interface ChainSnapshot {
  readonly id: string;
  /** False: a crash of the machine may have damaged it since. */
  readonly isSafe: boolean;
}

let boot: string | undefined;

/** Changes with every start of the kernel. @see random(4), boot_id in proc(5) */
function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}

const UNKNOWN: LayerRecord = { size: undefined, forms: [] };

export class LayerTable {
  readonly #layers: string;
  readonly #chains: string;

  constructor(layers: string, chains: string) {
    this.#layers = layers;
    this.#chains = chains;
  }

  get(diffId: DiffId): LayerRecord {
    return (readJsonFile(this.#pathOf(diffId)) as LayerRecord | undefined) ?? UNKNOWN;
  }

  #pathOf(diffId: DiffId): string {
    return join(this.#layers, `${hexOf(diffId)}.json`);
  }

  /** Remembers the size of the tar. */
  noteSize(diffId: DiffId, size: number): void {
    const before = this.get(diffId);
    if (before.size === size) return;
    this.#write(diffId, { ...before, size });
  }

  /** Remembers a compressed form and where it lives. Two processes writing at once lose a hint, never a fact. */
  noteForm(diffId: DiffId, descriptor: Descriptor, from?: string): void {
    const before = this.get(diffId);
    const known = before.forms.find((form) => form.descriptor.digest === descriptor.digest);
    if (known !== undefined && (from === undefined || known.from.includes(from))) return;
    const { mediaType, digest, size, annotations } = descriptor;
    const merged: LayerForm = {
      descriptor: { mediaType, digest, size, ...(annotations === undefined ? {} : { annotations }) },
      from: [...(known?.from ?? []), ...(from === undefined ? [] : [from])],
    };
    this.#write(diffId, { ...before, forms: [...before.forms.filter((form) => form !== known), merged] });
  }

  /** Remembers a snapshot from which the tar can be written again. */
  noteSource(diffId: DiffId, snapshot: string): void {
    const before = this.get(diffId);
    if (before.snapshot !== snapshot) this.#write(diffId, { ...before, snapshot });
  }

  /** Writes all that is known of a layer, whatever was there before. */
  rewrite(diffId: DiffId, record: LayerRecord): void {
    this.#write(diffId, record);
  }

  #write(diffId: DiffId, record: LayerRecord): void {
    writeAtomic(this.#pathOf(diffId), JSON.stringify(record), { durable: false });
  }

  deleteLayer(diffId: DiffId): void {
    rmSync(this.#pathOf(diffId), { force: true });
  }

  /** The snapshot holding this stack of layers; undefined when it is not unpacked. */
  snapshotOf(chain: ChainId): ChainSnapshot | undefined {
    try {
      const [id = '', boot] = readFileSync(join(this.#chains, hexOf(chain)), 'utf8').split(' ');
      return { id, isSafe: boot === undefined || boot === bootId() };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /**
   * Files of a snapshot are not flushed when it is sealed: that would make every build wait for the disk. So the record
   * says in which boot it was made, and after another one the content has to be compared with its digest first.
   */
  noteSnapshot(chain: ChainId, snapshot: string, o: { readonly isChecked?: boolean } = {}): void {
    const text = o.isChecked === true ? snapshot : `${snapshot} ${bootId()}`;
    writeAtomic(join(this.#chains, hexOf(chain)), text, { durable: false });
  }

  /** The same of a snapshot that stands for one of another store: whether that is safe, only the other store knows. */
  noteBorrowed(chain: ChainId, snapshot: string, known: ChainSnapshot): void {
    // No boot has this id.
    const text = known.isSafe ? snapshot : `${snapshot} other`;
    writeAtomic(join(this.#chains, hexOf(chain)), text, { durable: false });
  }

  /** Stacks that are noted to be unpacked there count as not unpacked from now on. */
  forgetUnpacked(snapshot: string): void {
    for (const name of readdirSync(this.#chains)) {
      if (!/^[0-9a-f]{64}$/.test(name)) continue;
      const chain = `sha256:${name}` as ChainId;
      if (this.snapshotOf(chain)?.id === snapshot) this.deleteChain(chain);
    }
  }

  deleteChain(chain: ChainId): void {
    rmSync(join(this.#chains, hexOf(chain)), { force: true });
  }
}
