/** `copy` and `add`: files into a working container. */
import { isAbsolute, join, normalize, resolve } from 'node:path';
import { addSourceKind } from '../dockerfile/add-source.ts';
import { BuilderError } from '../report/builder-error.ts';
import { CleanupStack } from '../sys/dispose.ts';
import { RootDirectory } from '../sys/root-directory.ts';
import { requireContainer } from './container-store.ts';
import { copyInto } from './copy-into.ts';
import { type IgnoreRules, type ResolvedSource, resolveSources } from './copy-source.ts';
import type { Engine } from './engine.ts';
import { readIgnoreRules } from './ignore-rules.ts';
import { openRootfs } from './mount-container.ts';
import { fetchSources } from './remote-files.ts';
import { addHistory, openFrom } from './run.ts';
import type { CopyOptions } from './verb-options.ts';
import type { WorkingContainer } from './working-container.ts';

/** Copies; archives are copied as they are. @returns the bare hex digest of what was added */
export function copy(
  engine: Engine,
  container: string,
  sources: readonly string[],
  destination?: string,
  o: CopyOptions = {},
) {
  return bringIn(engine, 'COPY', container, sources, destination, o);
}

/** Copies; local archives are unpacked, URLs and repositories fetched. */
export function add(
  engine: Engine,
  container: string,
  sources: readonly string[],
  destination?: string,
  o: CopyOptions = {},
) {
  return bringIn(engine, 'ADD', container, sources, destination, o);
}

async function bringIn(
  engine: Engine,
  verb: 'COPY' | 'ADD',
  nameOrId: string,
  sources: readonly string[],
  destination: string | undefined,
  o: CopyOptions,
): Promise<{ readonly digest: string }> {
  if (sources.length === 0) throw new BuilderError('usage.invalid', 'src must be specified');
  if (o.ignoreFile !== undefined && o.contextDir === undefined) {
    throw new BuilderError('usage.invalid', '--ignorefile requires --contextdir');
  }
  if (o.link === true) {
    throw new BuilderError(
      'usage.unsupported',
      '--link is not supported here: a working container has one layer of its own',
    );
  }
  const { id } = requireContainer(engine, nameOrId);
  using _ = await engine.store.containers.lock(id, { signal: engine.signal });
  const container = requireContainer(engine, id);
  await using cleanup = new CleanupStack();
  const found = await findSources(engine, verb, sources, o, cleanup);
  await using rootfs = await openRootfs(engine, container);
  const target = destinationIn(container, destination);
  const result = await copyInto(engine, {
    rootPath: rootfs.path,
    sources: found,
    destination: target,
    chown: o.chown,
    chmod: o.chmod,
    preserveOwnership: false,
    unpack: verb === 'ADD',
    ...(o.timestamp === undefined ? {} : { timestamp: { seconds: o.timestamp, nanoseconds: 0 } }),
    digest: true,
  });
  const digest = (result.digest ?? '').replace('sha256:', '');
  if (o.addHistory === true) {
    addHistory(engine, container, {
      created_by: `/bin/sh -c #(nop) ${verb} ${result.kind}:${digest}`,
    });
  }
  return { digest };
}

/** The working directory of the container when nothing is said. */
function destinationIn(container: WorkingContainer, destination: string | undefined): string {
  const workdir = container.config.config?.WorkingDir || '/';
  if (destination === undefined) return `${normalize(workdir)}/`.replace(/\/+$/, '/');
  return isAbsolute(destination)
    ? destination
    : join('/', workdir, destination) + (/(^|\/)\.?$/.test(destination) ? '/' : '');
}

async function findSources(
  engine: Engine,
  verb: 'COPY' | 'ADD',
  sources: readonly string[],
  o: CopyOptions,
  cleanup: CleanupStack,
): Promise<ResolvedSource[]> {
  const found: ResolvedSource[] = [];
  const ignore: IgnoreRules | undefined =
    o.ignoreFile === undefined ? undefined : readIgnoreRules(resolve(engine.cwd, o.ignoreFile));
  let root: { directory: RootDirectory; prefix: string } | undefined;
  for (const source of sources) {
    const kind = addSourceKind(source);
    if (kind !== 'local') {
      if (verb === 'COPY')
        throw new BuilderError('copy.invalid', `cannot copy ${JSON.stringify(source)}: it is not a path`, {
          hint: 'use add',
        });
      const fetched = await fetchSources(engine, source, kind, {
        checksum: o.checksum,
        tlsVerify: o.tlsVerify,
        certDir: o.certDir,
      });
      const directory = cleanup.use(new RootDirectory(fetched.dir));
      const files = await resolveSources({
        root: directory,
        rootName: source,
        patterns: [fetched.pattern],
        exclude: o.exclude,
        allowWildcard: false,
      });
      // Archives of this machine are unpacked, those of others are copied.
      found.push(...files.map((file) => ({ ...file, unpack: false })));
      continue;
    }
    if (o.checksum !== undefined)
      throw new BuilderError('usage.invalid', '--checksum is for downloads and git repositories only');
    root ??= await openSourceRoot(engine, o, cleanup);
    found.push(
      ...(await resolveSources({
        root: root.directory,
        rootName: o.from ?? o.contextDir ?? 'the file system',
        patterns: [isAbsolute(source) ? source : join(root.prefix, source)],
        ignore,
        exclude: o.exclude,
        parents: o.parents,
        allowWildcard: o.allowWildcard,
        allowEmptyWildcard: o.allowEmptyWildcard,
        followLinks: o.noFollowSymlinks !== true,
        signal: engine.signal,
      })),
    );
  }
  return found;
}

/** Where sources are looked for, and what relative ones stand below. */
async function openSourceRoot(
  engine: Engine,
  o: CopyOptions,
  cleanup: CleanupStack,
): Promise<{ directory: RootDirectory; prefix: string }> {
  if (o.from !== undefined)
    return { directory: cleanup.use(new RootDirectory(await openFrom(engine, o.from, cleanup, o))), prefix: '/' };
  if (o.contextDir !== undefined)
    return { directory: cleanup.use(new RootDirectory(resolve(engine.cwd, o.contextDir))), prefix: '/' };
  return { directory: cleanup.use(new RootDirectory('/')), prefix: engine.cwd };
}
