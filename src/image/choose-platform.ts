/** Picking the entry of an index that runs on a platform. */
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { ImageIndex } from '../spec/manifest.ts';
import { formatPlatform, type Platform, platformScore } from '../spec/platform.ts';

/** BuildKit's provenance and SBOM entries: they run nowhere and belong to the entry they name. */
export function isAttestation(d: Descriptor): boolean {
  return (
    d.annotations?.['vnd.docker.reference.type'] === 'attestation-manifest' ||
    (d.platform?.os === 'unknown' && d.platform.architecture === 'unknown')
  );
}

/**
 * The entry that serves `want` best; of equals the first, as every other tool takes it. An index with a single entry
 * that names no platform has nothing to choose from.
 * @param subject the index's name in messages
 * @throws `platform.not-found` listing what there is
 */
export function choosePlatform(index: ImageIndex, want: Platform, subject: string): Descriptor {
  const images = index.manifests.filter((entry) => !isAttestation(entry));
  let best: { readonly entry: Descriptor; readonly score: number } | undefined;
  for (const entry of images) {
    const score = entry.platform === undefined ? undefined : platformScore(want, entry.platform);
    if (score !== undefined && (best === undefined || score > best.score)) best = { entry, score };
  }
  if (best !== undefined) return best.entry;
  if (images.length === 1 && images[0]!.platform === undefined) return images[0]!;
  const known = [
    ...new Set(images.flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)]))),
  ];
  throw new BuilderError('platform.not-found', `${subject} has no image for ${formatPlatform(want)}`, {
    hint: known.length === 0 ? 'none of its entries names a platform' : `it has ${known.slice(0, 20).join(', ')}`,
    facts: { platform: formatPlatform(want), available: known.join(',') },
  });
}
