/** Built images leave for archives, layouts and registries; several platforms leave as one index. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Engine } from '../container/engine.ts';
import { listEntry, nameList, writeIndex } from '../container/manifest-list.ts';
import type { StoredPredicates } from '../container/predicates.ts';
import { sendImage } from '../container/push.ts';
import type { BuildOptions, PushOptions } from '../container/verb-options.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { ImageOutput } from './output.ts';

/** @param images manifests in the store, one for each platform. @param said what goes along with them */
export async function exportImage(
  engine: Engine,
  images: readonly Descriptor[],
  output: ImageOutput,
  o: BuildOptions,
  said: StoredPredicates,
): Promise<void> {
  const top = wholeOf(engine, images);
  const options: PushOptions = {
    ...o,
    all: true,
    ...(output.format === undefined ? {} : { format: output.format }),
    ...(output.compression === undefined ? {} : { compression: output.compression }),
    ...(output.compressionLevel === undefined ? {} : { compressionLevel: output.compressionLevel }),
    ...(output.forceCompression === undefined ? {} : { forceCompression: output.forceCompression }),
  };
  if (output.type === 'image') {
    // One image has its names already.
    if (output.isStored && images.length > 1) await nameList(engine, top, output.names);
    if (!output.push) return;
    const { tlsVerify } = output;
    for (const name of output.names) {
      const own = tlsVerify === undefined ? options : { ...options, tlsVerify };
      await sendImage(engine, top, `docker://${name}`, own, said);
    }
    return;
  }
  const isStdout = output.dest === '-';
  const path = isStdout ? join(engine.store.scratch.directory('output'), 'image.tar') : output.dest;
  const suffix = output.names[0] === undefined ? '' : `:${output.names[0]}`;
  await sendImage(engine, top, `${transportOf(output)}:${path}${suffix}`, options, said);
  if (isStdout) await pipeline(createReadStream(path), process.stdout, { end: false });
}

function transportOf({ type, isTar }: Exclude<ImageOutput, { type: 'image' }>): string {
  if (type === 'docker') return 'docker-archive';
  return isTar ? 'oci-archive' : 'oci';
}

/** One image as it is, several as an index. */
export function wholeOf(engine: Engine, images: readonly Descriptor[]): Descriptor {
  if (images.length === 1) return images[0]!;
  return writeIndex(engine, { manifests: images.map((image) => listEntry(engine, image)) });
}
