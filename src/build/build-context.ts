/** Where COPY reads from: a directory, or something that becomes one: standard input, an archive, a repository. */
import { closeSync, existsSync, mkdirSync, openSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { FetchedInput } from '../attest/build-facts.ts';
import type { Engine } from '../container/engine.ts';
import { type FetchedContext, isRemoteContext } from '../container/remote-context.ts';
import { unpackContext } from '../container/unpack-context.ts';
import { BuilderError } from '../report/builder-error.ts';
import { writeFile } from '../sys/file-write.ts';
import { publicInput } from './build-inputs.ts';

export interface BuildContext {
  /** Absolute. */
  readonly dir: string;
  /** Named by the context itself: the Containerfile given as context, or found on standard input. */
  readonly file: string | undefined;
  /** Ignore files count only in directories of this machine. */
  readonly isLocal: boolean;
  /** Seconds since the epoch, for contexts that have a time: those fetched from elsewhere. */
  modifiedAt?(): number | undefined;
  /** Where a fetched context came from. */
  readonly input?: FetchedInput;
}

/** Fetches a remote context. */
export type FetchContext = (engine: Engine, text: string) => Promise<FetchedContext>;

/** @throws `context.invalid`, and what fetching throws */
export async function openContext(
  engine: Engine,
  text: string | undefined,
  readStdin: () => Buffer,
  fetch: FetchContext,
): Promise<BuildContext> {
  if (text === '-') return fromStdin(engine, readStdin());
  if (text !== undefined && isRemoteContext(text)) {
    const fetched = await fetch(engine, text);
    return { ...fetched, input: publicInput(fetched.input), isLocal: false };
  }
  return openLocalContext(engine.cwd, text);
}

/** A directory of this machine, or a Containerfile in one. @throws `context.invalid` */
export function openLocalContext(cwd: string, text: string | undefined): BuildContext {
  const path = resolve(cwd, text ?? '.');
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new BuilderError('context.invalid', `the build context ${JSON.stringify(text)} does not exist`);
  if (stat.isDirectory()) return { dir: path, file: undefined, isLocal: true };
  if (!existsSync(path)) throw new BuilderError('context.invalid', `cannot use ${path} as a build context`);
  return { dir: dirname(path), file: basename(path), isLocal: true };
}

/** Standard input holds a Containerfile or an archive with everything. */
async function fromStdin(engine: Engine, content: Buffer): Promise<BuildContext> {
  if (content.length === 0)
    throw new BuilderError('context.invalid', 'standard input holds neither a Containerfile nor an archive');
  const dir = engine.store.scratch.directory('context');
  const isArchive = await unpackContext(engine, content, dir);
  if (isArchive) return { dir, file: undefined, isLocal: false };
  const apart = join(dir, '.input');
  mkdirSync(apart);
  const file = join(apart, 'Containerfile');
  writeFile(file, content);
  // The Containerfile itself is not part of the (empty) context.
  const empty = join(dir, 'context');
  mkdirSync(empty);
  return { dir: empty, file, isLocal: false };
}

/** All of standard input. */
export function readAllStdin(): Buffer {
  const chunks: Buffer[] = [];
  const fd = openStdin();
  try {
    for (;;) {
      const chunk = Buffer.allocUnsafe(1 << 16);
      const read = readSync(fd, chunk);
      if (read === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, read));
    }
  } finally {
    if (fd !== 0) closeSync(fd);
  }
}

/** Opened anew it blocks, whatever others made of theirs; a socket, as programs of node give, cannot be opened. */
function openStdin(): number {
  try {
    return openSync('/dev/stdin', 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return 0;
    throw error;
  }
}
