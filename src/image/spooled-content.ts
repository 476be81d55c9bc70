/** Content of unknown digest, kept in a file that only this user can read until it is disposed of. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestFromHex } from '../spec/digest.ts';
import type { Bytes } from '../spec/target.ts';
import { makePrivateDirectory } from './transport/private-directory.ts';

export interface SpooledContent extends AsyncDisposable {
  readonly digest: Digest;
  readonly size: number;
  open(): Bytes;
}

/** Reads the content to its end. Nothing is left behind when it fails. */
export async function spool(content: Bytes): Promise<SpooledContent> {
  const directory = await makePrivateDirectory();
  const path = join(directory.path, 'content');
  const hash = createHash('sha256');
  let size = 0;
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      for await (const chunk of content) {
        hash.update(chunk);
        size += chunk.length;
        await file.writeFile(chunk);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  }
  return {
    digest: digestFromHex(hash.digest('hex')),
    size,
    open: () => createReadStream(path),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}
