/** Manifest and config of an image somewhere else, without its layers. */
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import type { Manifest } from '../spec/manifest.ts';
import type { Platform } from '../spec/platform.ts';
import { MAX_DOCUMENT_BYTES, parseImageConfig, parseManifest } from '../spec/schema.ts';
import type { ReadTarget } from '../spec/target.ts';
import type { Admit } from './admission.ts';
import { choosePlatform } from './choose-platform.ts';
import { readDocument } from './copy-side.ts';

export interface ReadImage {
  /** Of the manifest, never of an index. */
  readonly descriptor: Descriptor;
  readonly rawManifest: Buffer;
  readonly manifest: Manifest;
  readonly rawConfig: Buffer;
  readonly config: ImageConfig;
}

/**
 * @param name a tag or digest, '' for the only image of a place
 * @param platform the entry of an index that is wanted
 * @param admit judges the manifest; without it anything is read
 * @throws `manifest.invalid`, `platform.not-found`, `blob.digest-mismatch`, the errors of the place
 */
export async function readImage(
  from: ReadTarget,
  name: string,
  platform: Platform,
  signal: AbortSignal | undefined,
  admit?: Admit,
): Promise<ReadImage> {
  let descriptor = await from.resolve(name, { signal });
  let raw = await readDocument(from, descriptor, MAX_DOCUMENT_BYTES, signal);
  let parsed = parseManifest(raw, descriptor.mediaType);
  if (parsed.kind === 'index') {
    descriptor = choosePlatform(parsed.value, platform, name === '' ? descriptor.digest : name);
    raw = await readDocument(from, descriptor, MAX_DOCUMENT_BYTES, signal);
    parsed = parseManifest(raw, descriptor.mediaType);
  }
  if (parsed.kind === 'index') {
    throw new BuilderError(
      'manifest.invalid',
      `${descriptor.digest} is an index in an index, where an image should be`,
    );
  }
  await admit?.(descriptor);
  const { value: manifest } = parsed;
  const rawConfig = await readDocument(from, manifest.config, MAX_DOCUMENT_BYTES, signal);
  return {
    descriptor,
    rawManifest: Buffer.from(raw),
    manifest,
    rawConfig: Buffer.from(rawConfig),
    config: parseImageConfig(rawConfig),
  };
}
