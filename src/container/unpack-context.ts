/** A build context that arrives as one archive. */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { copyRules } from '../rootfs/copy-rules.ts';
import { writeFile } from '../sys/file-write.ts';
import { RootDirectory } from '../sys/root-directory.ts';
import { archiveFormat, unpackArchive } from './copy-source-archive.ts';
import type { Engine } from './engine.ts';

/** Unpacks `content` into the empty directory `dir`; false when it is no archive, and `dir` is as it was. */
export async function unpackContext(engine: Engine, content: Buffer, dir: string): Promise<boolean> {
  const file = join(engine.store.scratch.directory('archive'), 'content');
  writeFile(file, content);
  return unpackArchiveFile(engine, file, dir);
}

/** The same for a file. */
export async function unpackArchiveFile(engine: Engine, file: string, dir: string): Promise<boolean> {
  const fd = openSync(file, 'r');
  try {
    const format = await archiveFormat(fd);
    if (format === undefined) return false;
    using root = new RootDirectory(dir);
    await unpackArchive(fd, format, {
      root,
      directory: '',
      rules: copyRules({ preserveOwnership: true }),
      signal: engine.signal,
    });
    return true;
  } finally {
    closeSync(fd);
  }
}
