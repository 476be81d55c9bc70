/** Deleting where images are not files: in registries. */
import { BuilderError } from '../../report/builder-error.ts';
import type { Digest } from '../../spec/digest.ts';
import { openPlace, type PlaceOptions, parsePlace } from './open-place.ts';

/**
 * Deletes an image of a registry by its digest, and with it every tag it has; gives the digest.
 * @throws `image.not-known`, `registry.request-failed` where nobody may delete, `transport.unsupported` elsewhere
 */
export async function deletePlaceImage(name: string, o: PlaceOptions = {}): Promise<Digest> {
  const place = parsePlace(name);
  if (place.transport !== 'docker') {
    throw new BuilderError('transport.unsupported', `${name}: only images of registries can be deleted`, {
      hint: place.transport === 'containers-storage' ? 'use podman rmi' : 'remove the file or directory',
    });
  }
  // Opened for writing: what a mirror has says nothing of what can be deleted.
  await using registry = await openPlace(place, 'write', o);
  const { digest } = await registry.resolve('', { signal: o.signal });
  await registry.deleteManifest?.(digest, { signal: o.signal });
  return digest;
}
