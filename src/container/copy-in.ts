/**
 * Copies resolved sources into a mounted root filesystem: the one engine behind COPY, ADD, `copy` and `add`.
 *
 * @see Dockerfile reference, "COPY"; where BuildKit and Buildah differ, the rule chosen is said beside the code
 */
import { closeSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { resolveDestination } from '../rootfs/copy-destination.ts';
import { Pace } from '../rootfs/copy-pace.ts';
import { TreeDigest } from '../rootfs/copy-record.ts';
import { type CopyRules, type CopyRulesOptions, copyRules } from '../rootfs/copy-rules.ts';
import { openTargetDirectory, type TargetDirectory } from '../rootfs/copy-target.ts';
import { TreePass } from '../rootfs/copy-tree.ts';
import { type ByteString, byteString, bytesOf } from '../rootfs/copy-walk.ts';
import type { Digest } from '../spec/digest.ts';
import type { Cancellable } from '../spec/target.ts';
import { S_IFDIR, S_IFMT } from '../sys/libc.ts';
import type { RootDirectory } from '../sys/root-directory.ts';
import { type ContentKind, kindOf, recordPath, withSource } from './content-digest.ts';
import type { ResolvedSource } from './copy-source.ts';
import { archiveFormat, openSourceFile, unpackArchive } from './copy-source-archive.ts';
import type { StatCache } from './stat-cache.ts';

export interface CopyInOptions extends CopyRulesOptions, Cancellable {
  readonly sources: readonly ResolvedSource[];
  /** The mounted root filesystem. */
  readonly root: RootDirectory;
  /**
   * From the root; the caller has joined it to the working directory. A trailing `/` or `/.` says it is a directory,
   * as does being one already. Links in it are followed inside the root.
   */
  readonly destination: string;
  /** Takes the digest in the same pass: every file is read once. */
  readonly digest?: boolean | undefined;
  /** Spares hashing what it knows; remembers what is hashed. */
  readonly cache?: StatCache | undefined;
  /** ADD: files that are archives are unpacked into the destination as a directory. */
  readonly unpack?: boolean | undefined;
}

export interface CopyResult {
  /** Equal to that of `digestSources`; undefined unless asked for. */
  readonly digest: Digest | undefined;
  readonly kind: ContentKind;
  /** Entries copied, directories among them. */
  readonly files: number;
  readonly bytes: number;
}

interface Destination {
  readonly path: ByteString;
  readonly isDirectory: boolean;
}

interface Copy {
  readonly o: CopyInOptions;
  readonly rules: CopyRules;
  readonly pass: TreePass;
  readonly to: Destination;
}

/**
 * After a failure the root filesystem holds what was copied until then; the caller discards its snapshot.
 * @throws `copy.invalid` where the destination cannot take the sources; `tar.invalid`, `compression.invalid`
 */
export async function copyIn(o: CopyInOptions): Promise<CopyResult> {
  const rules = copyRules(o);
  const to = destinationOf(o);
  const digest = o.digest === true ? new TreeDigest() : undefined;
  const pass = new TreePass({
    attributesOf: rules.attributesOf,
    digest,
    memory: o.cache,
    pace: new Pace(o.signal),
  });
  const copy = { o, rules, pass, to };
  for (const [number, source] of o.sources.entries()) {
    o.signal?.throwIfAborted();
    await withSource(source, (fd) => copySource(copy, source, fd, recordPath(number, source)));
  }
  return { ...pass.totals, digest: digest?.digest(), kind: kindOf(o.sources) };
}

function destinationOf({ root, destination, sources }: CopyInOptions): Destination {
  const isSpelledDirectory = destination === '' || /(?:^|\/)\.?$/.test(destination);
  const { path, stat } = resolveDestination(root, byteString(Buffer.from(destination)));
  const isDirectory = isSpelledDirectory || (stat !== undefined && (stat.mode & S_IFMT) === S_IFDIR);
  // BuildKit lets the files overwrite each other under the one name; Docker's older builder and Buildah refuse, and
  // nobody can want it. Several directories are fine: their contents are merged.
  if (!isDirectory && sources.length > 1 && sources.some((source) => source.entry.children === undefined)) {
    throw new BuilderError(
      'copy.invalid',
      `cannot copy ${sources.length} sources to ${JSON.stringify(destination)}: it is not a directory`,
      { hint: `write "${destination}/" to make it one` },
    );
  }
  return { path, isDirectory };
}

async function copySource(copy: Copy, source: ResolvedSource, fd: number, path: ByteString): Promise<void> {
  if (source.entry.children !== undefined) return copyDirectory(copy, source, fd, path);
  if ((source.unpack ?? copy.o.unpack) === true && (await unpackIfArchive(copy, source, fd, path))) return;
  const { path: to, isDirectory } = copy.to;
  const parent = isDirectory ? to : parentOf(to);
  const name = isDirectory ? source.name : lastOf(to);
  await inDirectory(openTargetDirectory(copy.o.root, parent, copy.rules.parents), async (directory) => {
    await copy.pass.file(source.entry, fd, path, directory, bytesOf(name));
  });
}

async function copyDirectory(copy: Copy, source: ResolvedSource, fd: number, path: ByteString): Promise<void> {
  const { rules, pass, to, o } = copy;
  // Its attributes do not go to the destination, which is made as any parent is; BuildKit and Buildah do the same.
  // Directories below it bring theirs along even where one is, but those that lead to what --parents copies do not.
  if (!source.isFrame) pass.directory(source.entry, fd, path);
  const merges = !source.isFrame;
  await inDirectory(openTargetDirectory(o.root, to.path, rules.parents), (directory) =>
    pass.children(source.entry, fd, path, directory, merges),
  );
}

async function unpackIfArchive(copy: Copy, source: ResolvedSource, fd: number, path: ByteString): Promise<boolean> {
  const { o, rules, pass, to } = copy;
  const input = openSourceFile(source.entry, fd);
  if (input === undefined) return false;
  try {
    const format = await archiveFormat(input);
    if (format === undefined) return false;
    // The archive's own bytes stand for its content in the digest.
    await pass.file(source.entry, fd, path, undefined, bytesOf(source.name));
    openTargetDirectory(o.root, to.path, rules.parents).close();
    await unpackArchive(input, format, { root: o.root, directory: to.path, rules, signal: o.signal });
    return true;
  } finally {
    closeSync(input);
  }
}

async function inDirectory(
  directory: TargetDirectory,
  act: (directory: TargetDirectory) => Promise<void>,
): Promise<void> {
  try {
    await act(directory);
    directory.close();
  } finally {
    directory.abandon();
  }
}

const parentOf = (path: ByteString): ByteString => path.slice(0, Math.max(0, path.lastIndexOf('/')));
const lastOf = (path: ByteString): ByteString => path.slice(path.lastIndexOf('/') + 1);
