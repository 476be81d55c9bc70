/** The local store as one side of a transfer. Layers that exist only as snapshots are written as tar while they are read. */
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { DiffId, Digest } from '../spec/digest.ts';
import { compressionOf } from '../spec/media-type.ts';
import type { Bytes, Cancellable, Target } from '../spec/target.ts';
import type { Engine } from './engine.ts';
import { hasLayer, openContent } from './layer-bytes.ts';
import { requireImage } from './local-image.ts';

export interface LocalTarget extends Target {
  /** For content that is made while it arrives. */
  pushUnsized(content: Bytes, o?: Cancellable): Promise<{ readonly digest: Digest; readonly size: number }>;
}

/** A target whose `tag` calls `tagged` instead of naming anything: records are written by the verb. */
export function localTarget(engine: Engine, tagged: (d: Descriptor, name: string) => void = () => {}): LocalTarget {
  const { blobs } = engine.store;
  return {
    async exists(d) {
      if (blobs.sizeOf(d.digest) === d.size) return true;
      return compressionOf(d.mediaType) === 'none' && (await hasLayer(engine, d.digest as DiffId));
    },
    open: (d): Promise<Bytes> => openContent(engine, d.digest),
    push: (d, content, o) => blobs.push(d, content, o),
    async pushUnsized(content, { signal } = {}) {
      await using ingest = await blobs.ingest();
      for await (const chunk of content) {
        signal?.throwIfAborted();
        await ingest.write(chunk);
      }
      return await ingest.commit();
    },
    async resolve(name) {
      if (name.startsWith('sha256:')) {
        const digest = name as Descriptor['digest'];
        const size = blobs.sizeOf(digest);
        if (size === undefined) throw new BuilderError('blob.not-found', `the manifest ${digest} is not in the store`);
        const { mediaType } = JSON.parse(blobs.read(digest).toString('utf8')) as { mediaType?: string };
        return { mediaType: mediaType ?? '', digest, size };
      }
      return requireImage(engine, name).manifest;
    },
    async tag(d, name) {
      tagged(d, name);
    },
  };
}
