/** Image names as command lines take them: `transport:location`, or a plain name. */
import { BuilderError } from '../report/builder-error.ts';

export const TRANSPORTS = [
  'docker',
  'oci',
  'oci-archive',
  'docker-archive',
  'dir',
  'docker-daemon',
  'containers-storage',
] as const;

export type TransportName = (typeof TRANSPORTS)[number];

export interface ImageName {
  /** undefined: a plain name, whose transport the command decides. */
  readonly transport: TransportName | undefined;
  /** What follows `transport:`; for `docker` without the two slashes. */
  readonly location: string;
}

/** Transports other tools know and this one does not. */
const FOREIGN = ['sif', 'atomic', 'tarball', 'ostree'];

/**
 * Splits off the transport. `oci:x` is the layout in directory x, never tag x of an image named oci: other builders
 * read it this way, and a script must mean the same here.
 *
 * @throws `reference.invalid` for an empty location
 * @throws `transport.unsupported` for a transport that only other tools have
 */
export function parseImageName(text: string): ImageName {
  const colon = text.indexOf(':');
  const word = colon === -1 ? '' : text.slice(0, colon);
  if (FOREIGN.includes(word)) {
    throw new BuilderError('transport.unsupported', `transport "${word}:" is not supported`, {
      hint: `supported are ${TRANSPORTS.map((name) => `${name}:`).join(', ')}`,
    });
  }
  const transport = TRANSPORTS.find((name) => name === word);
  if (transport === undefined) return { transport: undefined, location: text };
  const location = text.slice(colon + 1);
  if (transport === 'docker') {
    // `docker:latest` is the image named docker: the transport is only meant with its slashes.
    if (!location.startsWith('//')) return { transport: undefined, location: text };
    return { transport, location: notEmpty(text, location.slice(2)) };
  }
  return { transport, location: notEmpty(text, location) };
}

function notEmpty(text: string, location: string): string {
  if (location !== '') return location;
  throw new BuilderError(
    'reference.invalid',
    `invalid image name ${JSON.stringify(text)}: nothing follows the transport`,
  );
}
