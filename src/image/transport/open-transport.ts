/** From the word before the colon to the place. */
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
      return (await import('./docker-daemon.ts')).dockerDaemonTransport;
    case 'containers-storage':
      return (await import('./containers-storage.ts')).containersStorageTransport;
  }
}
