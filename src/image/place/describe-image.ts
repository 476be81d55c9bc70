/** What an image is, told without fetching its layers. */
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import type { ImageConfig } from '../../spec/image-config.ts';
import { hostPlatform, type Platform } from '../../spec/platform.ts';
import { parseReference, qualify, repositoryName } from '../../spec/reference.ts';
import { MAX_DOCUMENT_BYTES } from '../../spec/schema.ts';
import { readDocument } from '../copy-side.ts';
import { type ReadImage, readImage } from '../read-image.ts';
import { openPlace, type PlaceOptions, parsePlace } from './open-place.ts';

export interface DescribeOptions extends PlaceOptions {
  /** Of an index. */
  readonly platform?: Platform | undefined;
  /** Ask the registry for the tags of the repository, default true. */
  readonly withTags?: boolean | undefined;
}

/** An image as `image inspect` shows it; members in the order in which they are printed. */
export interface ImageDescription {
  /** `registry/repository`; '' for other places. */
  readonly Name: string;
  /** Of what the name stands for: an index, where it is one. */
  readonly Digest: Digest;
  readonly RepoTags: readonly string[];
  readonly Created: string | null;
  readonly DockerVersion: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Architecture: string;
  readonly Variant?: string;
  readonly Os: string;
  readonly Layers: readonly Digest[];
  readonly LayersData: readonly {
    readonly MIMEType: string;
    readonly Digest: Digest;
    readonly Size: number;
    readonly Annotations: Readonly<Record<string, string>> | null;
  }[];
  readonly Env: readonly string[] | null;
}

/** @throws `reference.invalid` for a name without transport, `image.not-known`, `platform.not-found`, the place's errors */
export async function describeImage(name: string, o: DescribeOptions = {}): Promise<ImageDescription> {
  const place = parsePlace(name);
  await using from = await openPlace(place, 'read', o);
  const top = await from.resolve('', { signal: o.signal });
  const image = await readImage(from, '', o.platform ?? hostPlatform(), o.signal);
  const isRegistry = place.transport === 'docker';
  const wantsTags = isRegistry && o.withTags !== false;
  const tags = wantsTags ? await from.imageNames?.({ signal: o.signal }) : undefined;
  const repository = isRegistry ? repositoryName(qualify(parseReference(place.location), 'docker.io')) : '';
  return description(repository, top, tags ?? [], image);
}

function description(name: string, top: Descriptor, tags: readonly string[], image: ReadImage): ImageDescription {
  const { config, manifest } = image;
  const { docker_version: dockerVersion } = config as ImageConfig & { readonly docker_version?: unknown };
  return {
    Name: name,
    Digest: top.digest,
    RepoTags: [...tags].sort(),
    Created: config.created ?? null,
    DockerVersion: typeof dockerVersion === 'string' ? dockerVersion : '',
    Labels: config.config?.Labels ?? null,
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    Layers: manifest.layers.map(({ digest }) => digest),
    LayersData: manifest.layers.map(({ mediaType, digest, size, annotations }) => ({
      MIMEType: mediaType,
      Digest: digest,
      Size: size,
      Annotations: annotations ?? null,
    })),
    Env: config.config?.Env ?? null,
  };
}

/**
 * The bytes of a manifest, or index, or of the config, exactly as they are there.
 * @throws as `describeImage`
 */
export async function rawDocument(
  name: string,
  which: 'manifest' | 'config',
  o: DescribeOptions = {},
): Promise<Uint8Array> {
  await using from = await openPlace(parsePlace(name), 'read', o);
  if (which === 'config') return (await readImage(from, '', o.platform ?? hostPlatform(), o.signal)).rawConfig;
  return readDocument(from, await from.resolve('', { signal: o.signal }), MAX_DOCUMENT_BYTES, o.signal);
}
