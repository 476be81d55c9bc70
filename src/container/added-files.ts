/** Files that a commit puts into the image as a layer of their own: of the caller, or made for it. */
import { basename, resolve } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import { type ChainId, type DiffId, hexOf } from '../spec/digest.ts';
import type { HistoryEntry } from '../spec/image-config.ts';
import { S_IFMT, S_IFREG } from '../sys/libc.ts';
import { RootDirectory } from '../sys/root-directory.ts';
import { copyInto } from './copy-into.ts';
import { inlineSource, type ResolvedSource, resolveSources } from './copy-source.ts';
import { type Engine, temporaryKey } from './engine.ts';
import type { ImageTimes } from './image-times.ts';
import { type SealedLayer, sealLayer } from './seal-layer.ts';

export interface AddedFile {
  /** A path, absolute, or the content itself. */
  readonly source: string | Buffer;
  /** Absolute, in the image. */
  readonly destination: string;
}

/** `source[:destination]`, as Buildah splits it: at the first colon. @throws `usage.invalid` */
export function parseAddedFile(text: string, cwd: string): AddedFile {
  const at = text.indexOf(':');
  const [source, destination] = at === -1 ? [text, text] : [text.slice(0, at), text.slice(at + 1)];
  if (source !== '' && destination !== '')
    return { source: resolve(cwd, source), destination: resolve('/', destination) };
  throw new BuilderError('usage.invalid', `the file to add ${JSON.stringify(text)} must be SOURCE[:DESTINATION]`);
}

/**
 * A layer with the files on top of a snapshot: owner 0:0, mode 0644, the time of the image.
 * @throws `copy.source-missing`, `copy.invalid` for what is no regular file
 */
export async function sealAddedFiles(
  engine: Engine,
  base: { readonly snapshot: SnapshotId | undefined; readonly chain: ChainId | undefined },
  files: readonly AddedFile[],
  times: ImageTimes,
): Promise<SealedLayer> {
  const { snapshots } = engine;
  const key = temporaryKey(engine);
  await snapshots.prepare(key, base.snapshot);
  try {
    await copyFiles(engine, key, files, times);
    return await sealLayer(engine, key, {
      base: base.snapshot,
      baseChain: base.chain,
      times: times.layer,
      always: true,
    });
  } catch (error) {
    await snapshots.removeActive(key);
    throw error;
  }
}

/** The line of history for such a layer, in Buildah's words. */
export function addedFilesEntry(diffId: DiffId, created: string): HistoryEntry {
  return { created, created_by: `/bin/sh -c #(nop) ADD dir:${hexOf(diffId)} in / ` };
}

async function copyFiles(engine: Engine, key: string, files: readonly AddedFile[], times: ImageTimes): Promise<void> {
  using host = new RootDirectory('/');
  await using mounted = await engine.snapshots.mount(key);
  const timestamp = { seconds: Math.floor(Date.parse(times.now()) / 1000), nanoseconds: 0 };
  for (const { source, destination } of files) {
    await copyInto(engine, {
      rootPath: mounted.path,
      sources:
        typeof source === 'string'
          ? await callersFile(engine, host, source)
          : [inlineSource(basename(destination), source)],
      destination,
      chown: '0:0',
      chmod: '0644',
      timestamp,
    });
  }
}

async function callersFile(engine: Engine, host: RootDirectory, name: string): Promise<readonly ResolvedSource[]> {
  const sources = await resolveSources({
    root: host,
    rootName: 'the file system',
    patterns: [name],
    allowWildcard: false,
    signal: engine.signal,
  });
  if (sources.every(({ entry }) => (entry.stat.mode & S_IFMT) === S_IFREG)) return sources;
  throw new BuilderError('copy.invalid', `cannot add ${name} to the image: it is not a regular file`, {
    hint: 'use `slipway copy` before the commit for anything else',
  });
}
