/** From the word before the colon to the place. */
import { BuilderError } from '../../report/builder-error.ts';
import type { TransportName } from '../../spec/image-name.ts';
import type { OpenOptions, OpenTarget, Transport } from './transport.ts';

/** Opens a place by its transport. Code for one is loaded only when it is used. */
export async function openTransport(
  scheme: TransportName,
  location: string,
  access: 'read' | 'write',
  o: OpenOptions = {},
): Promise<OpenTarget> {
  return (await transportNamed(scheme)).open(location, access, o);
}

async function transportNamed(scheme: TransportName): Promise<Transport> {
  switch (scheme) {
    case 'docker':
      return (await import('./registry.ts')).registryTransport;
    case 'oci':
      return (await import('./oci-layout.ts')).ociLayoutTransport;
    case 'oci-archive':
      return (await import('./oci-archive.ts')).ociArchiveTransport;
    case 'docker-archive':
      return (await import('./docker-archive.ts')).dockerArchiveTransport;
    case 'dir':
      return (await import('./directory.ts')).directoryTransport;
    case 'docker-daemon':
      throw new BuilderError(
        'transport.unsupported',
        'transport "docker-daemon:" is not supported: no daemon is talked to',
        {
          hint: 'save the image with "docker save" and read it as docker-archive:FILE',
        },
      );
    case 'containers-storage':
      throw new BuilderError(
        'transport.unsupported',
        'transport "containers-storage:" names the local store, which is no place to copy to or from by location',
      );
  }
}
