/** Images where they are: copied, looked at, listed and deleted without a store in between. */
import type { CopyBetweenOptions } from './image/place/copy-between.ts';
import type { DescribeOptions, ImageDescription } from './image/place/describe-image.ts';
import type { TagList } from './image/place/list-tags.ts';
import type { PlaceOptions } from './image/place/open-place.ts';
import type { CreateSourceOptions } from './image/place/source-image.ts';
import type { Descriptor } from './spec/descriptor.ts';
import type { Digest } from './spec/digest.ts';
import type { Cancellable } from './spec/target.ts';

/**
 * Copies an image from one place to another; both are named with their transport (`docker://…`, `oci:…`). Gives the
 * descriptor of what the destination's name now is.
 */
export async function copyImage(source: string, destination: string, o: CopyBetweenOptions = {}): Promise<Descriptor> {
  return (await import('./image/place/copy-between.ts')).copyBetween(source, destination, o);
}

/** What an image is, without fetching its layers. */
export async function inspectImage(name: string, o: DescribeOptions = {}): Promise<ImageDescription> {
  return (await import('./image/place/describe-image.ts')).describeImage(name, o);
}

/** The bytes of an image's manifest (or index) or config, as they are there. */
export async function readImageDocument(
  name: string,
  which: 'manifest' | 'config',
  o: DescribeOptions = {},
): Promise<Uint8Array> {
  return (await import('./image/place/describe-image.ts')).rawDocument(name, which, o);
}

/** The tags of a repository, or the names in an archive or layout. */
export async function listImageTags(name: string, o: PlaceOptions = {}): Promise<TagList> {
  return (await import('./image/place/list-tags.ts')).listPlaceTags(name, o);
}

/** Deletes an image of a registry and gives its digest. */
export async function deleteImage(name: string, o: PlaceOptions = {}): Promise<Digest> {
  return (await import('./image/place/delete-image.ts')).deletePlaceImage(name, o);
}

/** Makes an empty source image, an OCI layout, at a path where nothing is. */
export async function createSourceImage(path: string, o: CreateSourceOptions = {}): Promise<void> {
  return (await import('./image/place/source-image.ts')).createSourceImage(path, o);
}

/** Adds a file, or what a directory holds, to a source image as a gzipped archive. `annotations` are `key=value`. */
export async function addSource(
  path: string,
  artifact: string,
  o: Cancellable & { readonly annotations?: readonly string[] } = {},
): Promise<void> {
  return (await import('./image/place/source-image.ts')).addSource(path, artifact, o);
}

/** Copies a source image of a registry to a path where nothing is. */
export async function pullSourceImage(image: string, path: string, o: CopyBetweenOptions = {}): Promise<void> {
  return (await import('./image/place/source-image.ts')).pullSourceImage(image, path, o);
}

/** Copies a source image to a registry; gives its descriptor there. */
export async function pushSourceImage(path: string, image: string, o: CopyBetweenOptions = {}): Promise<Descriptor> {
  return (await import('./image/place/source-image.ts')).pushSourceImage(path, image, o);
}

export type { CopyBetweenOptions, CreateSourceOptions, DescribeOptions, ImageDescription, PlaceOptions, TagList };
