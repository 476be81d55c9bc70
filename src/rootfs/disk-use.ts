/** What a tree takes on disk. */
import { lstatSync, readdirSync } from 'node:fs';

interface Entry {
  readonly name: Buffer;
  isDirectory(): boolean;
}

const SLASH = Buffer.from('/');
/** A block of stat(2) is this large, whatever the file system's own are. */
const BLOCK_BYTES = 512;

/** Files with several names count once, holes not at all. What vanishes while it is counted is not counted. */
export function diskUse(path: string): { readonly bytes: number; readonly files: number } {
  let bytes = 0;
  let files = 0;
  const linked = new Set<string>();
  const stack = [Buffer.from(path)];
  for (let folder = stack.pop(); folder !== undefined; folder = stack.pop()) {
    for (const entry of entriesOf(folder)) {
      const below = Buffer.concat([folder, SLASH, entry.name]);
      if (entry.isDirectory()) stack.push(below);
      files += 1;
      const stat = lstatSync(below, { throwIfNoEntry: false, bigint: true });
      if (stat === undefined) continue;
      const inode = `${stat.dev} ${stat.ino}`;
      if (stat.nlink > 1n && !entry.isDirectory()) {
        if (linked.has(inode)) continue;
        linked.add(inode);
      }
      bytes += Number(stat.blocks) * BLOCK_BYTES;
    }
  }
  return { bytes, files };
}

function entriesOf(folder: Buffer): readonly Entry[] {
  try {
    return readdirSync(folder, { withFileTypes: true, encoding: 'buffer' }) as unknown as readonly Entry[];
  } catch {
    return [];
  }
}
