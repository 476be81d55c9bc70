/** Finding and reading what to build: Containerfiles, standard input, several files as one, `.in` files through cpp. */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { SourceFile } from '../report/source-file.ts';
import { S_IFMT, S_IFREG } from '../sys/libc.ts';
import { RootDirectory } from '../sys/root-directory.ts';

/** In this order; Buildah's name first, then Docker's, then the spelling BuildKit falls back to. */
const DEFAULT_NAMES = ['Containerfile', 'Dockerfile', 'dockerfile'];

export interface ContainerfileOptions {
  /** As given; empty: look in the context. */
  readonly files: readonly string[];
  readonly contextDir: string;
  /** The context came from elsewhere: links in it lead nowhere else, and only regular files are read. */
  readonly isFetched?: boolean;
  readonly cwd: string;
  /** For `cpp`, behind those of $BUILDAH_CPPFLAGS. */
  readonly cppFlags?: readonly string[];
  /** Content of standard input, for `-`. */
  readonly readStdin: () => string;
}

export interface Containerfile {
  readonly source: SourceFile;
  /** Absolute path of the first file; undefined for standard input. */
  readonly path: string | undefined;
}

/** @throws `dockerfile.not-found`, `dockerfile.syntax` for an empty file */
export function readContainerfile(o: ContainerfileOptions): Containerfile {
  if (o.files.length === 0) {
    for (const name of DEFAULT_NAMES) {
      const path = join(o.contextDir, name);
      if (o.isFetched !== true && existsSync(path)) return one(path, path, o);
      const fetched = o.isFetched === true ? fromContext(name, o) : undefined;
      if (fetched !== undefined) return fetched;
    }
    throw new BuilderError('dockerfile.not-found', `no Containerfile or Dockerfile found in ${o.contextDir}`, {
      hint: 'name one with -f, or give the directory that holds it',
    });
  }
  const parts = o.files.map((file) => (file === '-' ? stdin(o) : named(file, o)));
  if (parts.length === 1) return parts[0]!;
  const text = parts.map(({ source }) => (source.text.endsWith('\n') ? source.text : `${source.text}\n`)).join('');
  return { source: { name: parts.map(({ source }) => source.name).join('+'), text }, path: parts[0]!.path };
}

function stdin(o: ContainerfileOptions): Containerfile {
  return { source: { name: '-', text: o.readStdin() }, path: undefined };
}

function named(file: string, o: ContainerfileOptions): Containerfile {
  if (o.isFetched !== true) return one(locate(file, o, [o.cwd, o.contextDir]), file, o);
  const isBeside = statSync(resolve(o.cwd, file), { throwIfNoEntry: false })?.isFile() === true;
  // Of what came from elsewhere only regular files are read; pipes of the caller are.
  return (isBeside ? undefined : fromContext(file, o)) ?? one(locate(file, o, [o.cwd]), file, o);
}

/** A file of a context that came from elsewhere; undefined when there is none. */
function fromContext(file: string, o: ContainerfileOptions): Containerfile | undefined {
  const path = join(o.contextDir, file);
  using context = new RootDirectory(o.contextDir);
  const stat = context.stat(file, true);
  if (stat === undefined) return undefined;
  if ((stat.mode & S_IFMT) !== S_IFREG) {
    throw new BuilderError('dockerfile.not-found', `cannot read ${JSON.stringify(file)}: it is no regular file`);
  }
  const fd = context.open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return containerfile(path, file, readFileSync(fd, 'utf8'), o);
  } finally {
    closeSync(fd);
  }
}

/** A relative name is looked for in `places`: beside the caller, then in the context. */
function locate(file: string, o: ContainerfileOptions, places: readonly string[]): string {
  const candidates = places.map((place) => resolve(place, file));
  const found = candidates.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
  if (found !== undefined) return found;
  // Named pipes and /dev/fd/N are files to read, too.
  const special = candidates.find((path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat !== undefined && !stat.isDirectory();
  });
  if (special !== undefined) return special;
  throw new BuilderError(
    'dockerfile.not-found',
    `cannot find ${JSON.stringify(file)}, neither in ${o.cwd} nor in the context ${o.contextDir}`,
  );
}

function one(path: string, shown: string, o: ContainerfileOptions): Containerfile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new BuilderError('dockerfile.not-found', `cannot read ${path}`, { cause });
  }
  return containerfile(path, shown, text, o);
}

function containerfile(path: string, shown: string, read: string, o: ContainerfileOptions): Containerfile {
  let text = read;
  if (text.trim() === '') throw new BuilderError('dockerfile.syntax', `no contents in ${JSON.stringify(path)}`);
  if (path.endsWith('.in')) text = preprocess(path, text, o);
  return { source: { name: shown, text }, path };
}

/** Runs the C preprocessor, as Buildah does for such names. */
function preprocess(path: string, text: string, { contextDir, cppFlags = [] }: ContainerfileOptions): string {
  const flags = (process.env['BUILDAH_CPPFLAGS'] ?? '').split(/\s+/).filter((flag) => flag !== '');
  const args = ['-E', '-iquote', contextDir, '-traditional', '-undef', ...flags, ...cppFlags, '-'];
  const result = spawnSync('cpp', args, { input: text, encoding: 'utf8', cwd: dirname(path) });
  if (result.error !== undefined) {
    throw new BuilderError('dockerfile.not-found', `${path} needs the C preprocessor cpp, which cannot be run`, {
      cause: result.error,
      hint: 'install it, for instance with: apt-get install cpp',
    });
  }
  if (result.status !== 0 && result.stdout === '') {
    throw new BuilderError('dockerfile.syntax', `cpp failed on ${path}: ${result.stderr.trim()}`);
  }
  return result.stdout
    .split('\n')
    .filter((line) => !/^# \d+ "/.test(line))
    .join('\n');
}
