/** Attestations beside exported files: statements whose subjects are the files, as BuildKit writes them. */
import { createHash } from 'node:crypto';
import { closeSync, constants, readSync } from 'node:fs';
import { END_OF_ARCHIVE, encodeEntry, padding } from '../archive/tar-writer.ts';
import { fileSubject, type Statement, type Subject, statement } from '../attest/in-toto.ts';
import { walkRoot } from '../attest/walk-root.ts';
import { BuilderError } from '../report/builder-error.ts';
import { digestFromHex } from '../spec/digest.ts';
import type { Bytes, Cancellable } from '../spec/target.ts';
import { RootDirectory } from '../sys/root-directory.ts';
import type { NamedPredicate } from './attest-build.ts';

export interface StatementFile {
  readonly name: string;
  readonly content: Buffer;
}

/** The files to add to an exported tree. @param root path of the tree */
export function statementFiles(root: string, said: readonly NamedPredicate[], o: Cancellable): StatementFile[] {
  const named = said.filter((one) => one.fileName !== undefined);
  if (named.length === 0) return [];
  const subjects = subjectsOf(root, o);
  return named.map(({ predicate, fileName }) => ({
    name: fileName!,
    content: indented(statement(predicate, subjects)),
  }));
}

function indented(document: Statement): Buffer {
  return Buffer.from(JSON.stringify(document, undefined, 2));
}

/** Every regular file with its digest. */
function subjectsOf(path: string, { signal }: Cancellable): Subject[] {
  const subjects: Subject[] = [];
  const buffer = Buffer.allocUnsafe(1 << 20);
  using root = new RootDirectory(path);
  const refuse = (why: string): never => {
    throw new BuilderError('build.failed', `the exported files cannot be attested: ${why}`);
  };
  const visit = (name: string): void => {
    signal?.throwIfAborted();
    const bytes = Buffer.from(name, 'latin1');
    const fd = root.open(bytes, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const hash = createHash('sha256');
      for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer))
        hash.update(buffer.subarray(0, read));
      subjects.push(fileSubject(bytes.toString(), digestFromHex(hash.digest('hex'))));
    } finally {
      closeSync(fd);
    }
  };
  walkRoot(root.fd, visit, refuse, { maxEntries: Number.POSITIVE_INFINITY, maxDepth: 512, skipped: [] });
  return subjects;
}

/** The archive with files of the root added at its end, mode 0600. @param seconds their time */
export async function* tarWithFiles(tar: Bytes, files: readonly StatementFile[], seconds: number): Bytes {
  let held: Uint8Array = Buffer.alloc(0);
  for await (const chunk of tar) {
    const all = Buffer.concat([held, chunk]);
    const ready = Math.max(0, all.length - END_OF_ARCHIVE.length);
    if (ready > 0) yield all.subarray(0, ready);
    held = Buffer.from(all.subarray(ready));
  }
  for (const { name, content } of files) {
    yield encodeEntry({
      name: Buffer.from(name),
      type: 'file',
      mode: 0o600,
      uid: 0,
      gid: 0,
      size: content.length,
      mtime: { seconds, nanoseconds: 0 },
      linkName: Buffer.alloc(0),
      devMajor: 0,
      devMinor: 0,
      xattrs: new Map(),
    });
    yield content;
    yield padding(content.length);
  }
  yield END_OF_ARCHIVE;
}
