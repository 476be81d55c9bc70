/** Tar files that hold an image: taken apart into a private directory, and put together from one. */
import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type PackOptions, pack } from 'tar-fs';
import { decompress } from '../../archive/compression.ts';
import { readTar } from '../../archive/tar-reader.ts';
import { hashing } from '../../archive/verify.ts';
import { BuilderError } from '../../report/builder-error.ts';
import type { Digest } from '../../spec/digest.ts';
import type { Bytes, Cancellable } from '../../spec/target.ts';
import { namingFile } from '../../sys/file-write.ts';
import { makeDirectories } from '../../sys/make-directories.ts';
import { writeWhole } from './blob-directory.ts';

const READ_CHUNK = 1 << 20;
/** Far more than layers and documents of any real collection of images. */
const MAX_MEMBERS = 100_000;

export interface ArchiveMember {
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
}

/** The bytes of an archive: a file, or a pipe such as /dev/stdin, which is read once from its start. */
export async function readArchiveFile(file: string): Promise<Bytes> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined || !(found.isFile() || isPipe(found))) {
    throw new BuilderError('transport.unsupported', `cannot read the archive ${file}: there is no such file`);
  }
  return createReadStream(file, { highWaterMark: READ_CHUNK });
}

/** Written and read where it is: no file could be put in its place. */
function isPipe(found: { isFIFO(): boolean; isCharacterDevice(): boolean; isSocket(): boolean }): boolean {
  return found.isFIFO() || found.isCharacterDevice() || found.isSocket();
}

/**
 * Writes every regular file of the archive into `directory` under a name of its own, so that no name in the archive
 * can reach anything, and gives them by their name in the archive. Links are followed inside the archive only.
 * @param what the archive in messages
 */
export async function unpackArchive(
  archive: Bytes,
  what: string,
  directory: string,
  o: Cancellable = {},
): Promise<ReadonlyMap<string, ArchiveMember>> {
  const members = new Map<string, ArchiveMember>();
  const links = new Map<string, string>();
  const bytes = decompress(archive);
  for await (const { entry, content } of readTar(bytes)) {
    const name = cleanName(entry.name.toString('utf8'));
    if (members.size + links.size >= MAX_MEMBERS) {
      throw new BuilderError('tar.invalid', `${what} has more than ${MAX_MEMBERS} members`);
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

/** Packs the files of `directory` into `file`, which appears whole or not at all; a pipe gets the bytes as they come. */
export async function packArchive(directory: string, file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found !== undefined && isPipe(found)) {
    await pipeline(await archiveOf(directory), createWriteStream(file, { flags: 'a' }));
    return;
  }
  makeDirectories(dirname(file));
  const beside = join(dirname(file), `.new-${randomBytes(8).toString('hex')}`);
  try {
    await pipeline(
      await archiveOf(directory),
      createWriteStream(beside, { flags: 'wx', mode: 0o644, flush: true } as never),
    );
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw namingFile(error, file);
  }
}

/**
 * The files of `directory` as a tar, folders with a member of their own: some readers make missing ones as root's, which
 * an ordinary user may not. Owner and times say nothing about an image; fixed ones make equal archives.
 */
export async function archiveOf(directory: string): Promise<Readable> {
  const options: PackOptions & { readonly sort: boolean } = {
    entries: (await readdir(directory)).sort(),
    sort: true,
    map: (header) => ({
      ...header,
      uid: 0,
      gid: 0,
      uname: '',
      gname: '',
      mtime: new Date(0),
      mode: header.type === 'directory' ? 0o755 : 0o644,
    }),
  };
  return pack(directory, options) as unknown as Readable;
}

/** Whether nothing is there, or something that takes the bytes of a new archive. */
export async function takesNewArchive(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  return found === undefined || isPipe(found) || (found.isFile() && found.size === 0);
}
