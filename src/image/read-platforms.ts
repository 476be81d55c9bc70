/** The platforms an image can be had for: those of its index, or of its config where there is only one. */
import type { Descriptor } from '../spec/descriptor.ts';
import type { ImageIndex } from '../spec/manifest.ts';
import { buildPlatform, formatPlatform, type Platform } from '../spec/platform.ts';
import { MAX_DOCUMENT_BYTES, parseImageConfig, parseManifest } from '../spec/schema.ts';
import type { ReadTarget } from '../spec/target.ts';
import { isAttestation } from './choose-platform.ts';
import { readDocument } from './copy-side.ts';

/** Architectures that Go can make programs for; what an index says of others leads nowhere. @see go/types, SizesFor */
const ARCHITECTURES: ReadonlySet<string> = new Set(
  '386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x sparc64 wasm'.split(' '),
);

/**
 * The platforms of an index, normalised, each once, in its order: neither attestations nor artifacts, nor entries that
 * name no platform or one that does not exist.
 */
export function indexPlatforms({ manifests }: ImageIndex): readonly Platform[] {
  const platforms = manifests
    .filter((entry) => !isAttestation(entry) && (entry.artifactType ?? '') === '')
    .flatMap(({ platform }) => (platform === undefined ? [] : [buildPlatform(platform)]))
    .filter(({ os, architecture }) => os !== '' && os !== 'unknown' && ARCHITECTURES.has(architecture));
  return [...new Map(platforms.map((platform) => [formatPlatform(platform), platform])).values()];
}

/**
 * As `indexPlatforms`; an image that is alone has the platform its config says.
 * @param name a tag or digest, '' for the only image of a place
 * @throws `manifest.invalid`, `blob.digest-mismatch`, the errors of the place
 */
export async function readPlatforms(
  from: ReadTarget,
  name: string,
  signal: AbortSignal | undefined,
): Promise<readonly Platform[]> {
  let top = await readManifest(from, await from.resolve(name, { signal }), signal);
  if (top.kind === 'index') {
    const alone = unnamedEntry(top.value);
    if (alone === undefined) return indexPlatforms(top.value);
    top = await readManifest(from, alone, signal);
  }
  if (top.kind === 'index') return indexPlatforms(top.value);
  const config = parseImageConfig(await readDocument(from, top.value.config, MAX_DOCUMENT_BYTES, signal));
  return [buildPlatform(config)];
}

async function readManifest(from: ReadTarget, d: Descriptor, signal: AbortSignal | undefined) {
  return parseManifest(await readDocument(from, d, MAX_DOCUMENT_BYTES, signal), d.mediaType);
}

/** The image of an index that has a single one and does not say what it is for. */
function unnamedEntry({ manifests }: ImageIndex): Descriptor | undefined {
  const images = manifests.filter((entry) => !isAttestation(entry));
  return images.length === 1 && images[0]!.platform === undefined ? images[0] : undefined;
}
