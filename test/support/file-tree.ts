/** A folder made of a list of files, which goes away with its owner. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export class FileTree implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'slipway-tree-'));

  /** Paths and contents; an object `{ link }` is a symbolic link, `{ mode, content }` a file of that mode. */
  constructor(files: Readonly<Record<string, string | Buffer | { link: string } | { mode: number; content: Buffer }>>) {
    for (const [name, file] of Object.entries(files)) {
      const path = join(this.path, name);
      mkdirSync(dirname(path), { recursive: true });
      if (typeof file === 'string' || Buffer.isBuffer(file)) writeFileSync(path, file);
      else if ('link' in file) symlinkSync(file.link, path);
      else writeFileSync(path, file.content, { mode: file.mode });
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
