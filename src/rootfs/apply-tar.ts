/**
 * Applies the tar of one layer to a writable tree.
 *
 * Where the image-spec leaves room: a name with a `..` component is refused, absolute names are taken inside the root;
 * duplicate names are accepted and the last one wins; a missing parent is made with mode 0755 and owner 0:0 and gets the
 * time of the entry that needed it; the attributes of a hard link's entry are ignored, since it is the same file;
 * devices that may not be made are skipped with a warning, the device 0:0 always, because overlay reads it as a removal.
 *
 * @see OCI image-spec, layer.md, "Applying Changesets"
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { TarParser } from '../archive/tar-parser.ts';
import type { Bytes } from '../spec/target.ts';
import type { ApplyOptions } from './apply-options.ts';
import { LayerApplier } from './layer-applier.ts';

/** Parsed in one go; larger chunks are cut, so that other work of this thread gets its turn. */
const SLICE = 1024 * 1024;

/**
 * Applies `tar` to the tree at `rootPath`, which nothing else may change meanwhile; whatever happens, nothing outside of
 * it is touched. After a failure the tree is useless.
 * @returns members and bytes of the archive
 * @throws `layer.invalid`, `layer.id-unmapped`, `tar.invalid`, `sys.call-failed`
 */
export async function applyTar(
  tar: Bytes,
  rootPath: string,
  o: ApplyOptions = {},
): Promise<{ readonly entries: number; readonly bytes: number }> {
  using applier = new LayerApplier(rootPath, o);
  const parser = new TarParser(applier);
  let bytes = 0;
  for await (const chunk of tar) {
    for (let at = 0; at < chunk.length; at += SLICE) {
      o.signal?.throwIfAborted();
      parser.push(chunk.subarray(at, at + SLICE));
      if (chunk.length > SLICE) await breathe();
    }
    bytes += chunk.length;
  }
  parser.finish();
  applier.finish();
  return { entries: applier.entries, bytes };
}
