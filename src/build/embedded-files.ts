/** Files that are made about a target when it is done, and put on top of it. */
import { type AddedFile, addedFilesEntry, sealAddedFiles } from '../container/added-files.ts';
import type { Engine } from '../container/engine.ts';
import type { ImageTimes } from '../container/image-times.ts';
import type { StageResult } from './stage-build.ts';
import { snapshotOf, withLayer } from './stage-root.ts';

/**
 * The target with the files as one more layer, and a line of history for it.
 * @param created RFC 3339: time of the files and of the line, so that a rebuild from the cache makes the same layer
 */
export async function withFiles(
  engine: Engine,
  target: StageResult,
  files: readonly AddedFile[],
  times: ImageTimes,
  created: string,
): Promise<StageResult> {
  const snapshot = await snapshotOf(engine, target.root);
  const at = { ...times, now: () => created };
  const sealed = await sealAddedFiles(engine, { snapshot, chain: target.root.chain }, files, at);
  const layer = sealed.layer!;
  const root = withLayer(target.root, layer, sealed.snapshot, sealed.chain);
  const history = [...(target.config.history ?? []), addedFilesEntry(layer.diffId, created)];
  const rootfs = { type: 'layers' as const, diff_ids: root.diffIds };
  return { ...target, root, config: { ...target.config, rootfs, history } };
}
