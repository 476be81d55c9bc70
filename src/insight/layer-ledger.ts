/**
 * Books who owns which bytes of an image: told the entries of one layer after the other, it knows at the end what every
 * layer holds and how much of that a later one hides. It keeps a name and a number per file, so half a million files
 * take some 60 MB; contents are never looked at.
 */
import type { LayerCounts, LayerFile, WastedFile } from './image-insight.ts';
import { Largest } from './largest.ts';

/** A path relative to the root, one character per byte (latin1), components joined by `/`. */
type BytePath = string;

/** Bytes that several names share: wasted when the last of them goes. */
interface Shared {
  readonly bytes: number;
  readonly layer: number;
  names: number;
}

interface Directory {
  /** Layer that last said something of the directory itself. */
  layer: number;
  readonly children: Map<string, Node>;
}

/** A number is a file of one name: its size times the number of layers, plus its layer. */
type Node = number | Shared | Directory;

interface Counting {
  contentBytes: number;
  entries: number;
  added: number;
  changed: number;
  removed: number;
  wastedBytes: number;
  readonly largest: Largest<LayerFile>;
}

export interface LedgerOptions {
  /** Layers of the image. */
  readonly layers: number;
  /** How many of the largest files are kept per layer, and of the wasted ones. */
  readonly largest: number;
}

export class LayerLedger {
  readonly #layers: number;
  readonly #counts: Counting[];
  readonly #wasted: Largest<WastedFile>;
  readonly #root: Directory = { layer: 0, children: new Map() };
  #layer = -1;

  constructor(o: LedgerOptions) {
    this.#layers = Math.max(1, o.layers);
    this.#counts = Array.from({ length: o.layers }, () => ({
      contentBytes: 0,
      entries: 0,
      added: 0,
      changed: 0,
      removed: 0,
      wastedBytes: 0,
      largest: new Largest<LayerFile>(o.largest),
    }));
    this.#wasted = new Largest(o.largest);
  }

  /** What is told from now on belongs to the next layer up. */
  nextLayer(): void {
    this.#layer += 1;
    if (this.#layer >= this.#counts.length) throw new RangeError(`there are only ${this.#counts.length} layers`);
  }

  /** A file, or anything else that is no directory and takes `bytes` of content. */
  file(path: BytePath, bytes: number): void {
    this.#put(path, bytes * this.#layers + this.#layer);
    const counts = this.#now;
    counts.contentBytes += bytes;
    if (counts.largest.wants(bytes)) counts.largest.add({ path: shown(path), bytes });
  }

  /** A further name of a file that is there already. */
  link(path: BytePath, target: BytePath): void {
    this.#put(path, this.#share(target) ?? this.#layer);
  }

  directory(path: BytePath): void {
    if (path === '') return;
    const parent = this.#parentOf(path);
    const name = baseOf(path);
    const before = parent.children.get(name);
    if (isDirectory(before)) before.layer = this.#layer;
    else {
      if (before !== undefined) this.#release(before, path, 'overwritten');
      parent.children.set(name, { layer: this.#layer, children: new Map() });
    }
    this.#count(before !== undefined);
  }

  /** A whiteout: what lower layers have under this name is gone. What this layer itself has there stays. */
  removed(path: BytePath): void {
    const parent = this.#find(parentPath(path));
    const name = baseOf(path);
    if (!isDirectory(parent) || !parent.children.has(name)) return;
    if (this.#hide(parent.children.get(name)!, path)) parent.children.delete(name);
  }

  /** An opaque directory: everything lower layers have below it is gone. */
  opaque(path: BytePath): void {
    const directory = this.#find(path);
    if (isDirectory(directory)) this.#hideBelow(directory, path);
  }

  /** Counts per layer, bottom first. */
  get counts(): LayerCounts[] {
    return this.#counts.map((counts) => ({ ...counts, largest: counts.largest.values }));
  }

  /** The worst files that take room for nothing. */
  get wasted(): readonly WastedFile[] {
    return this.#wasted.values;
  }

  get #now(): Counting {
    return this.#counts[this.#layer]!;
  }

  #put(path: BytePath, node: number | Shared): void {
    const parent = this.#parentOf(path);
    const name = baseOf(path);
    const before = parent.children.get(name);
    if (before !== undefined) this.#release(before, path, 'overwritten');
    parent.children.set(name, node);
    this.#count(before !== undefined);
  }

  #count(isKnown: boolean): void {
    const counts = this.#now;
    counts.entries += 1;
    if (isKnown) counts.changed += 1;
    else counts.added += 1;
  }

  /** Directories that no entry names belong to whoever needs them first. */
  #parentOf(path: BytePath): Directory {
    let directory = this.#root;
    for (let from = 0, cut = path.indexOf('/'); cut !== -1; from = cut + 1, cut = path.indexOf('/', from)) {
      const name = path.slice(from, cut);
      let child = directory.children.get(name);
      if (!isDirectory(child)) {
        if (child !== undefined) this.#release(child, path.slice(0, cut), 'overwritten');
        child = { layer: this.#layer, children: new Map() };
        directory.children.set(name, child);
      }
      directory = child;
    }
    return directory;
  }

  #find(path: BytePath): Node | undefined {
    let node: Node | undefined = this.#root;
    if (path === '') return node;
    for (const name of path.split('/')) {
      if (!isDirectory(node)) return undefined;
      node = node.children.get(name);
    }
    return node;
  }

  /** Makes the file at `path` one of several names; undefined when nothing of that name is a file. */
  #share(path: BytePath): Shared | undefined {
    const parent = this.#find(parentPath(path));
    const node = isDirectory(parent) ? parent.children.get(baseOf(path)) : undefined;
    if (node === undefined || isDirectory(node)) return undefined;
    const shared =
      typeof node === 'number'
        ? { bytes: Math.floor(node / this.#layers), layer: node % this.#layers, names: 1 }
        : node;
    shared.names += 1;
    (parent as Directory).children.set(baseOf(path), shared);
    return shared;
  }

  /** Drops what lower layers have; true when nothing of this layer is left there. */
  #hide(node: Node, path: BytePath): boolean {
    if (!isDirectory(node)) {
      if (this.#ownerOf(node) === this.#layer) return false;
      this.#now.removed += 1;
      this.#release(node, path, 'removed');
      return true;
    }
    this.#hideBelow(node, path);
    if (node.layer === this.#layer || node.children.size > 0) return false;
    this.#now.removed += 1;
    return true;
  }

  #hideBelow(directory: Directory, path: BytePath): void {
    for (const [name, child] of directory.children) {
      if (this.#hide(child, path === '' ? name : `${path}/${name}`)) directory.children.delete(name);
    }
  }

  #ownerOf(node: number | Shared): number {
    return typeof node === 'number' ? node % this.#layers : node.layer;
  }

  /** The bytes below a name are no longer reached by it. */
  #release(node: Node, path: BytePath, how: WastedFile['how']): void {
    if (isDirectory(node)) {
      for (const [name, child] of node.children) {
        this.#now.removed += 1;
        this.#release(child, `${path}/${name}`, 'removed');
      }
      return;
    }
    if (typeof node !== 'number') {
      node.names -= 1;
      if (node.names > 0) return;
    }
    const bytes = typeof node === 'number' ? Math.floor(node / this.#layers) : node.bytes;
    const layer = this.#ownerOf(node);
    this.#counts[layer]!.wastedBytes += bytes;
    if (this.#wasted.wants(bytes)) {
      this.#wasted.add({ path: shown(path), bytes, layer, hiddenBy: this.#layer, how });
    }
  }
}

function isDirectory(node: Node | undefined): node is Directory {
  return typeof node === 'object' && 'children' in node;
}

const baseOf = (path: BytePath): string => path.slice(path.lastIndexOf('/') + 1);
const parentPath = (path: BytePath): BytePath => path.slice(0, Math.max(0, path.lastIndexOf('/')));

function shown(path: BytePath): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}
