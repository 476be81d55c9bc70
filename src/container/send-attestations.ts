/** Puts attestations beside an image that has just been sent, and gives the name to the index that holds both. */
import { attestedIndex } from '../attest/attest-image.ts';
import { imageSubjects, statement } from '../attest/in-toto.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import type { TransportName } from '../spec/image-name.ts';
import type { ImageIndex, Manifest } from '../spec/manifest.ts';
import { isIndex } from '../spec/media-type.ts';
import { buildPlatform, type Platform } from '../spec/platform.ts';
import type { Bytes, Cancellable, Target } from '../spec/target.ts';
import type { Engine } from './engine.ts';
import { readPredicates, type StoredPredicates } from './predicates.ts';

/** Places that can name an index. */
const HOLDS_INDEX: ReadonlySet<TransportName> = new Set(['docker', 'oci', 'oci-archive']);

/** Whether attestations can go along; when they cannot, says why. */
export function takesAttestations(engine: Engine, transport: TransportName, format: string | undefined): boolean {
  const why = !HOLDS_INDEX.has(transport)
    ? `${transport}: holds one image and no index`
    : format === 'docker'
      ? 'images in Docker format have none'
      : undefined;
  if (why === undefined) return true;
  engine.emit({ type: 'warning', text: `the attestations of the image are not sent along: ${why}` });
  return false;
}

/** An image of this store that goes into an attested index. */
export interface LocalPart {
  readonly local: Descriptor;
  /** As the list has it, or as the config says. */
  readonly platform: Platform;
  /** What is said about it; none is an image without attestations. */
  readonly predicates: readonly Descriptor[];
}

export type SentImage = LocalPart & {
  /** What the destination has, not yet named. */
  readonly manifest: Descriptor;
};

export interface AttestedParts {
  readonly parts: readonly LocalPart[];
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * The image, or with `isWhole` the entries of a list, with what is said about each; undefined when nothing is said, or
 * when a single entry of a list is to be sent.
 */
export function attestedParts(
  engine: Engine,
  manifest: Descriptor,
  said: StoredPredicates,
  isWhole: boolean,
): AttestedParts | undefined {
  if (!isIndex(manifest.mediaType)) {
    const predicates = said.get(manifest.digest);
    if (predicates === undefined || predicates.length === 0) return undefined;
    return { parts: [{ local: manifest, platform: platformOf(engine, manifest), predicates }], annotations: {} };
  }
  if (!isWhole) return undefined;
  const { manifests, annotations = {} } = JSON.parse(
    engine.store.blobs.read(manifest.digest).toString('utf8'),
  ) as ImageIndex;
  if (!manifests.some(({ digest }) => said.has(digest))) return undefined;
  const parts = manifests.map((local) => ({
    local,
    platform: local.platform ?? platformOf(engine, local),
    predicates: said.get(local.digest) ?? [],
  }));
  return { parts, annotations };
}

export interface AttestedNames extends Cancellable {
  /** References the index gets. */
  readonly names: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** Pushes statements, their manifests and the index, which gets the place's own name. Gives the index's descriptor. */
export async function nameAttested(
  engine: Engine,
  place: Target,
  sent: readonly SentImage[],
  { names, annotations, signal }: AttestedNames,
): Promise<Descriptor> {
  const images = sent.map(({ manifest, platform, predicates, local }) => {
    const subjects = imageSubjects(manifest.digest, names, platform);
    const { mediaType, digest, size } = manifest;
    return {
      image: {
        mediaType,
        digest,
        size,
        platform,
        ...(local.annotations === undefined ? {} : { annotations: local.annotations }),
      },
      statements: readPredicates(engine, predicates).map((predicate) => statement(predicate, subjects)),
    };
  });
  const { index, blobs } = attestedIndex(images, { annotations });
  for (const { descriptor, bytes } of blobs) await place.push(descriptor, once(bytes), { signal });
  await place.tag(index, '', { signal });
  return index;
}

function platformOf(engine: Engine, local: Descriptor): Platform {
  const { blobs } = engine.store;
  const manifest = JSON.parse(blobs.read(local.digest).toString('utf8')) as Manifest;
  return buildPlatform(JSON.parse(blobs.read(manifest.config.digest).toString('utf8')) as ImageConfig);
}

async function* once(content: Uint8Array): Bytes {
  yield content;
}
