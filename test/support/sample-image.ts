/** Small images for tests: layers of given bytes, a config that fits, a manifest, all stored in any target. */
import { gzipSync } from 'node:zlib';
import type { Descriptor } from '../../src/spec/descriptor.ts';
import { type DiffId, digestOf } from '../../src/spec/digest.ts';
import type { Manifest } from '../../src/spec/manifest.ts';
import { type ImageFormat, layerMediaType, MEDIA } from '../../src/spec/media-type.ts';
import type { Platform } from '../../src/spec/platform.ts';
import type { Bytes, Target } from '../../src/spec/target.ts';

export interface SampleImage {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly raw: Buffer;
  /** Config and layers. */
  readonly blobs: ReadonlyMap<Descriptor, Buffer>;
}

/** One tar with one empty file, so that real tools can unpack it. */
export function tinyTar(name: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write('00000000000\0', 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, Buffer.alloc(1024)]);
}

export function sampleImage(
  o: {
    readonly format?: ImageFormat;
    readonly tars?: readonly Buffer[];
    readonly isCompressed?: boolean;
    readonly platform?: Platform;
  } = {},
): SampleImage {
  const format = o.format ?? 'oci';
  const tars = o.tars ?? [tinyTar('a'), tinyTar('b')];
  const platform = o.platform ?? { os: 'linux', architecture: 'amd64' };
  const isCompressed = o.isCompressed !== false;
  const blobs = new Map<Descriptor, Buffer>();
  const layers = tars.map((tar) => {
    const content = isCompressed ? gzipSync(tar) : tar;
    const layer = descriptorOf(content, layerMediaType(format, isCompressed ? 'gzip' : 'none'));
    blobs.set(layer, content);
    return layer;
  });
  const configBytes = Buffer.from(
    JSON.stringify({
      ...platform,
      config: { Cmd: ['/bin/sh'] },
      rootfs: { type: 'layers', diff_ids: tars.map((tar) => digestOf(tar) as unknown as DiffId) },
    }),
  );
  const config = descriptorOf(configBytes, format === 'oci' ? MEDIA.ociConfig : MEDIA.dockerConfig);
  blobs.set(config, configBytes);
  const mediaType = format === 'oci' ? MEDIA.ociManifest : MEDIA.dockerManifest;
  const manifest: Manifest = { schemaVersion: 2, mediaType, config, layers };
  const raw = Buffer.from(JSON.stringify(manifest));
  return { descriptor: descriptorOf(raw, mediaType), manifest, raw, blobs };
}

export function descriptorOf(content: Buffer, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(content), size: content.length };
}

export async function* bytesOf(...chunks: readonly (Uint8Array | string)[]): Bytes {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

export async function collect(bytes: Bytes): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

export async function storeImage(image: SampleImage, to: Target, name: string): Promise<void> {
  for (const [d, content] of image.blobs) await to.push(d, bytesOf(content));
  await to.push(image.descriptor, bytesOf(image.raw));
  await to.tag(image.descriptor, name);
}
