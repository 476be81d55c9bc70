/**
 * Directories in which nothing a process does is kept: it sees what they hold, and what it writes there goes to a copy,
 * or to a layer, that is thrown away. The old rule for what RUN does below a VOLUME.
 */
import { BuilderError } from '../report/builder-error.ts';
import { S_IFDIR, S_IFMT } from '../sys/libc.ts';
import { RootDirectory } from '../sys/root-directory.ts';
import type { Engine } from './engine.ts';
import { type StagedMounts, stageMounts } from './run-mounts.ts';

/**
 * @param rootPath of the mounted root filesystem
 * @param paths absolute, none inside another; a directory that is missing is made there, and stays, as with Buildah
 * @throws `run.start-failed` where something else than a directory is in the way
 */
export async function discardWrites(engine: Engine, rootPath: string, paths: readonly string[]): Promise<StagedMounts> {
  if (paths.length === 0) return { mounts: [], env: [], [Symbol.asyncDispose]: () => Promise.resolve() };
  using root = new RootDirectory(rootPath);
  for (const path of paths) requireDirectory(root, path);
  const requests = paths.map((path) => ({ ...COPY_OF, source: path, target: path }));
  return await stageMounts(engine, requests, {
    open: () => Promise.resolve(rootPath),
    secrets: new Map(),
    agents: new Map(),
  });
}

/** Neither errors nor labels come from a mount that nobody wrote. */
const COPY_OF = {
  type: 'bind',
  from: undefined,
  readOnly: false,
  isAlone: true,
  relabel: undefined,
  span: { file: { name: 'VOLUME', text: '' }, start: 0, end: 0 },
} as const;

function requireDirectory(root: RootDirectory, path: string): void {
  const there = root.stat(path, true);
  if (there === undefined) root.makeDirectories(path, 0o755);
  else if ((there.mode & S_IFMT) !== S_IFDIR) {
    throw new BuilderError('run.start-failed', `the volume ${JSON.stringify(path)} is not a directory`);
  }
}
