/**
 * `docker-daemon:NAME[:TAG]` or, to read, `docker-daemon:sha256:ID`: the images of a Docker daemon. What moves is the
 * archive `docker save` writes, straight between socket and private directory.
 */
import { BuilderError } from '../../report/builder-error.ts';
import { parseDigest } from '../../spec/digest.ts';
import { formatReference, parseReference, qualify, withDefaultTag } from '../../spec/reference.ts';
import { archiveOf } from './archive-file.ts';
import { type DaemonOptions, exportImage, importImages } from './docker-api.ts';
import { DockerArchiveReader, DockerArchiveWriter } from './docker-archive.ts';
import type { OpenOptions, Transport } from './transport.ts';

export const dockerDaemonTransport: Transport = {
  scheme: 'docker-daemon',
  async open(location, access, o = {}) {
    const options = daemonOptions(o);
    const id = parseDigest(location);
    if (id !== undefined && access === 'write') {
      throw new BuilderError('reference.invalid', `docker-daemon:${location} cannot be written to: it is an image id`, {
        hint: 'give the image a name: docker-daemon:NAME:TAG',
      });
    }
    const name =
      id === undefined ? formatReference(withDefaultTag(qualify(parseReference(location), 'docker.io'))) : '';
    const what = `the image ${id ?? name} of the Docker daemon`;
    if (access === 'write') {
      return DockerArchiveWriter.create(what, name, async (directory) =>
        importImages(await archiveOf(directory), options),
      );
    }
    return DockerArchiveReader.read(await exportImage(id ?? name, options), what, '', { ...o, imageName: name });
  },
};

function daemonOptions(o: OpenOptions): DaemonOptions {
  const { certDir, tlsVerify } = o.registry ?? {};
  return { env: o.registry?.env ?? process.env, certDir, tlsVerify, signal: o.signal ?? o.registry?.signal };
}
