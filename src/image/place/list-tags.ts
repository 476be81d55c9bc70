/** The names of the images at a place: tags of a repository, names in an archive or layout. */
import { BuilderError } from '../../report/builder-error.ts';
import { parseReference, qualify, repositoryName } from '../../spec/reference.ts';
import { openPlace, type PlaceOptions, parsePlace } from './open-place.ts';

/** As `image list-tags` prints it. */
export interface TagList {
  /** `registry/repository`; absent for files. */
  readonly Repository?: string;
  readonly Tags: readonly string[];
}

/**
 * @throws `usage.invalid` for a repository with a tag or digest, `transport.unsupported` for places that hold one image
 *   or cannot be listed
 */
export async function listPlaceTags(name: string, o: PlaceOptions = {}): Promise<TagList> {
  const place = parsePlace(name);
  const repository = place.transport === 'docker' ? repositoryOf(name, place.location) : undefined;
  await using from = await openPlace(place, 'read', o);
  const tags = await from.imageNames?.({ signal: o.signal });
  if (tags === undefined || place.transport === 'docker-daemon') {
    throw new BuilderError('transport.unsupported', `${place.transport}: holds nothing whose tags could be listed`, {
      hint: 'docker://, docker-archive:, oci: and oci-archive: can be listed',
    });
  }
  return { ...(repository === undefined ? {} : { Repository: repository }), Tags: tags };
}

function repositoryOf(name: string, location: string): string {
  const reference = parseReference(location);
  if (reference.tag === undefined && reference.digest === undefined) {
    return repositoryName(qualify(reference, 'docker.io'));
  }
  throw new BuilderError('usage.invalid', `${name}: tags are listed of a repository, not of one image`, {
    hint: `leave the tag out: docker://${repositoryName(reference)}`,
  });
}
