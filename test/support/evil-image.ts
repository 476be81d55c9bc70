/** Images as nobody's tool would make them, written as OCI layouts: any config, any layer, any annotation. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../src/spec/digest.ts';
import { MEDIA } from '../../src/spec/media-type.ts';
import { staticBusybox } from './base-images.ts';
import { dir, file, type Member, symlink, tarOf } from './layer-tar.ts';

export interface EvilImage {
  readonly layers: readonly (readonly Member[])[];
  /** The `config` of the image config. */
  readonly config?: object;
  readonly history?: readonly object[];
  /** Instead of the digests of the layers. */
  readonly diffIds?: readonly string[];
  readonly annotations?: object;
}

const APPLETS = ['sh', 'ls', 'cat', 'rm', 'mv', 'ln', 'mkdir', 'touch', 'echo', 'test', 'env', 'id', 'pwd', 'grep'];

/** A busybox with its commands: what a step needs to run anything. */
export function busyboxMembers(): readonly Member[] {
  const busybox = readFileSync(staticBusybox() ?? '/bin/busybox');
  return [
    dir('bin'),
    file('bin/busybox', busybox, { mode: 0o755 }),
    ...APPLETS.map((name) => symlink(`bin/${name}`, 'busybox')),
  ];
}

/** Writes the image as `folder`:`name`; `pull oci:folder:name` then makes it `localhost/name`. */
export function writeEvilImage(folder: string, name: string, image: EvilImage): void {
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  const put = (mediaType: string, content: Buffer) => {
    const digest = digestOf(content);
    writeFileSync(join(folder, 'blobs/sha256', digest.slice('sha256:'.length)), content);
    return { mediaType, digest, size: content.length };
  };
  const tars = image.layers.map((members) => tarOf(...members));
  const config = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: image.config ?? {},
    rootfs: { type: 'layers', diff_ids: image.diffIds ?? tars.map((tar) => digestOf(tar)) },
    ...(image.history === undefined ? {} : { history: image.history }),
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    config: put(MEDIA.ociConfig, Buffer.from(JSON.stringify(config))),
    layers: tars.map((tar) => put(MEDIA.ociLayerGzip, gzipSync(tar, { level: 1 }))),
    ...(image.annotations === undefined ? {} : { annotations: image.annotations }),
  };
  const entry = put(MEDIA.ociManifest, Buffer.from(JSON.stringify(manifest)));
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const named = { ...entry, annotations: { 'org.opencontainers.image.ref.name': name } };
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
}
