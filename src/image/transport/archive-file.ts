/** Tar files that hold an image: taken apart into a private directory, and put together from one. */
import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-fs';
import { decompress } from '../../archive/compression.ts';
import { readTar } from '../../archive/tar-reader.ts';
import { hashing } from '../../archive/verify.ts';
import { BuilderError } from '../../report/builder-error.ts';
import type { Digest } from '../../spec/digest.ts';
import type { Cancellable } from '../../spec/target.ts';
import { writeWhole } from './blob-directory.ts';

const READ_CHUNK = 1 << 20;
/** Far more than layers and documents of any real collection of images. */
const MAX_MEMBERS = 100_000;

export interface ArchiveMember {
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Writes every regular file of the archive into `directory` under a name of its own, so that no name in the archive
 * can reach anything, and gives them by their name in the archive. Links are followed inside the archive only.
 */
export async function unpackArchive(
  file: string,
  directory: string,
  o: Cancellable = {},
): Promise<ReadonlyMap<string, ArchiveMember>> {
  if ((await stat(file).catch(() => undefined))?.isFile() !== true) {
    throw new BuilderError('transport.unsupported', `cannot read the archive ${file}: there is no such file`);
  }
  const members = new Map<string, ArchiveMember>();
  const links = new Map<string, string>();
  const bytes = decompress(createReadStream(file, { highWaterMark: READ_CHUNK }));
  for await (const { entry, content } of readTar(bytes)) {
    const name = cleanName(entry.name.toString('utf8'));
    if (members.size + links.size >= MAX_MEMBERS) {
      throw new BuilderError('tar.invalid', `the archive ${file} has more than ${MAX_MEMBERS} members`);
    }
    if (entry.type === 'symlink') links.set(name, join('/', dirname(name), entry.linkName.toString('utf8')).slice(1));
    else if (entry.type === 'hardlink') links.set(name, cleanName(entry.linkName.toString('utf8')));
    if (entry.type !== 'file') continue;
    const path = join(directory, String(members.size));
    let known: { readonly digest: Digest; readonly size: number } | undefined;
    const hashed = hashing(content, (result) => {
      known = result;
    });
    await writeWhole(path, hashed, { ...o, isDurable: false });
    members.set(name, { path, ...known! });
  }
  for (const [name, target] of links) {
    const member = members.get(target);
    if (member !== undefined && !members.has(name)) members.set(name, member);
  }
  return members;
}

function cleanName(name: string): string {
  return join('/', name).slice(1);
}

/** Paths of all regular files below `directory`, in a fixed order. */
async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
}

/** Packs the files of `directory` into `file`, which appears whole or not at all. */
export async function packArchive(directory: string, file: string): Promise<void> {
  const beside = join(dirname(file), `.new-${randomBytes(8).toString('hex')}`);
  // Owner and times say nothing about an image; fixed ones make equal images equal archives.
  const members = pack(directory, {
    entries: await filesBelow(directory),
    map: (header) => ({
      ...header,
      uid: 0,
      gid: 0,
      uname: '',
      gname: '',
      mtime: new Date(0),
      mode: header.type === 'directory' ? 0o755 : 0o644,
    }),
  });
  try {
    await pipeline(members, createWriteStream(beside, { flags: 'wx', mode: 0o644, flush: true } as never));
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
