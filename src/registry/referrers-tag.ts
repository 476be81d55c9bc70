/**
 * Registries without the referrers API: whoever pushes a manifest with a subject keeps the list of what refers to it,
 * under a tag made of the subject's digest.
 * @see OCI distribution-spec 1.1, "Pushing Manifests with Subject" and "Referrers Tag Schema"
 */
import type { Descriptor } from '../spec/descriptor.ts';
import { type Digest, digestOf } from '../spec/digest.ts';
import type { ImageIndex, Manifest } from '../spec/manifest.ts';
import { isIndex, MEDIA } from '../spec/media-type.ts';

/** `sha256-<hex>` */
export function referrersTag(subject: Digest): string {
  return subject.replace(':', '-');
}

/** What a manifest or index refers to, if anything. */
export function subjectOf(bytes: Uint8Array): Descriptor | undefined {
  return (JSON.parse(Buffer.from(bytes).toString('utf8')) as Manifest | ImageIndex).subject;
}

/** A stored list together with the descriptor it has. */
export interface ReferrersList {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

/**
 * The list with one more entry; undefined when it has that already.
 * @param before the list as it is; undefined for none
 * @param referrer the manifest or index `bytes`
 */
export function extendReferrers(
  before: ImageIndex | undefined,
  referrer: Descriptor,
  bytes: Uint8Array,
): ReferrersList | undefined {
  const known = before?.manifests ?? [];
  if (known.some(({ digest }) => digest === referrer.digest)) return undefined;
  const index: ImageIndex = {
    ...before,
    schemaVersion: 2,
    mediaType: MEDIA.ociIndex,
    manifests: [...known, entryOf(referrer, bytes)],
  };
  return listOf(index);
}

/** The list without an entry; undefined when it has none such. */
export function reduceReferrers(before: ImageIndex, referrer: Digest): ReferrersList | undefined {
  const manifests = before.manifests.filter(({ digest }) => digest !== referrer);
  return manifests.length === before.manifests.length ? undefined : listOf({ ...before, manifests });
}

function listOf(index: ImageIndex): ReferrersList {
  const bytes = Buffer.from(JSON.stringify(index));
  return { descriptor: { mediaType: MEDIA.ociIndex, digest: digestOf(bytes), size: bytes.length }, bytes };
}

function entryOf({ mediaType, digest, size }: Descriptor, bytes: Uint8Array): Descriptor {
  const document = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<Manifest>;
  const { artifactType, annotations } = document;
  const type = artifactType ?? (isIndex(mediaType) ? undefined : document.config?.mediaType);
  return {
    mediaType,
    digest,
    size,
    ...(type === undefined ? {} : { artifactType: type }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}
