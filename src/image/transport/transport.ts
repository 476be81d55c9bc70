/**
 * Places an image name's transport can mean. A target opened from a location knows the name in it: every operation
 * that takes a name takes `''` for that one.
 */

import type { RegistriesConf } from '../../registry/registries-conf.ts';
import type { RepositoryOptions } from '../../registry/repository.ts';
import type { Digest } from '../../spec/digest.ts';
import type { TransportName } from '../../spec/image-name.ts';
import type { ImageFormat } from '../../spec/media-type.ts';
import type { Cancellable, Target } from '../../spec/target.ts';

export interface OpenTarget extends Target, AsyncDisposable {
  /** The format this place expects; other manifests are converted on their way in. */
  readonly requiredFormat?: ImageFormat;
  /** False where manifests are not stored, but made when an image is read. */
  readonly keepsManifests?: false;
  /** True where layers are kept unpacked, so that none can be there encrypted. */
  readonly unpacksLayers?: true;
  /** Full name of the image where the location says it, '' when it says that there is none. */
  readonly imageName?: string | undefined;
  /** Optional power: the names of all images here; tags, for a repository. */
  imageNames?(o?: Cancellable): Promise<readonly string[]>;
  /** Optional power: deletes a manifest with every name it has. */
  deleteManifest?(digest: Digest, o?: Cancellable): Promise<void>;
}

export interface OpenOptions extends Cancellable {
  readonly registry?: RepositoryOptions;
  /** Default: this machine's. */
  readonly registriesConf?: RegistriesConf;
}

export interface Transport {
  readonly scheme: TransportName;
  /**
   * @param location what follows `scheme:` (for docker without the slashes)
   * @throws `reference.invalid` for a malformed location, `transport.unsupported`
   */
  open(location: string, access: 'read' | 'write', o?: OpenOptions): Promise<OpenTarget>;
}

/** `PATH[:name]`: the first colon ends the path, as other tools have it. */
export function splitLocation(location: string): { readonly path: string; readonly name: string } {
  const colon = location.indexOf(':');
  return colon === -1
    ? { path: location, name: '' }
    : { path: location.slice(0, colon), name: location.slice(colon + 1) };
}
