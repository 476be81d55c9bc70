import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attestationOf, attestedIndex, attestImage } from '../../../src/attest/attest-image.ts';
import { imageSubjects, type Statement, statement } from '../../../src/attest/in-toto.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { type Digest, digestOf } from '../../../src/spec/digest.ts';
import { MEDIA } from '../../../src/spec/media-type.ts';

const SHA = 'b'.repeat(64);
const DIGEST = `sha256:${SHA}` as Digest;
const PLATFORM = { os: 'linux', architecture: 'amd64' } as const;
const IMAGE = { mediaType: MEDIA.ociManifest, digest: DIGEST, size: 1234, platform: PLATFORM };
const STATEMENTS: Statement[] = [
  statement({ type: 'https://spdx.dev/Document', content: { a: 1 } }, imageSubjects(DIGEST, ['app:1'], PLATFORM)),
  statement({ type: 'https://slsa.dev/provenance/v1', content: { b: 2 } }, imageSubjects(DIGEST, [], PLATFORM)),
];
const json = (bytes: Buffer): Record<string, unknown> => JSON.parse(bytes.toString()) as Record<string, unknown>;

it('a statement names the image by each of its names, or by none', () => {
  assert.equal(
    JSON.stringify(STATEMENTS[0]),
    `{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://spdx.dev/Document","subject":[{"name":"pkg:docker/app@1?platform=linux%2Famd64","digest":{"sha256":"${SHA}"}}],"predicate":{"a":1}}`,
  );
  assert.deepEqual(STATEMENTS[1]?.subject, [{ name: '_', digest: { sha256: SHA } }]);
});

describe('attestation manifest', () => {
  it('as an artifact that refers to its image', () => {
    const { manifest, blobs } = attestationOf(IMAGE, STATEMENTS);
    const [config, first, second] = blobs;
    assert.deepEqual(json(manifest.bytes), {
      schemaVersion: 2,
      mediaType: MEDIA.ociManifest,
      artifactType: 'application/vnd.docker.attestation.manifest.v1+json',
      config: {
        mediaType: MEDIA.ociEmpty,
        digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
        size: 2,
        data: 'e30=',
      },
      layers: [
        {
          mediaType: 'application/vnd.in-toto+json',
          digest: digestOf(JSON.stringify(STATEMENTS[0])),
          size: JSON.stringify(STATEMENTS[0]).length,
          annotations: { 'in-toto.io/predicate-type': 'https://spdx.dev/Document' },
        },
        {
          mediaType: 'application/vnd.in-toto+json',
          digest: digestOf(JSON.stringify(STATEMENTS[1])),
          size: JSON.stringify(STATEMENTS[1]).length,
          annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v1' },
        },
      ],
      subject: { mediaType: MEDIA.ociManifest, digest: DIGEST, size: 1234 },
    });
    assert.equal(config?.bytes.toString(), '{}');
    assert.deepEqual(
      [first?.bytes, second?.bytes].map((bytes) => digestOf(bytes!)),
      [first?.descriptor.digest, second?.descriptor.digest],
    );
  });

  it('as an image, for registries that know no artifacts', () => {
    const { manifest, blobs } = attestationOf(IMAGE, STATEMENTS, { form: 'image' });
    const document = json(manifest.bytes);
    assert.deepEqual(Object.keys(document), ['schemaVersion', 'mediaType', 'config', 'layers']);
    const [config, ...layers] = blobs;
    assert.equal(config?.descriptor.mediaType, MEDIA.ociConfig);
    assert.deepEqual(json(config!.bytes), {
      architecture: 'unknown',
      os: 'unknown',
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map(({ descriptor }) => descriptor.digest) },
    });
  });

  it('a statement beyond what readers take is refused', () => {
    const huge = statement({ type: 'x', content: { text: 'x'.repeat(41 * 1024 * 1024) } }, []);
    assert.throws(
      () => attestationOf(IMAGE, [huge]),
      (error) => isBuilderError(error, 'build.failed'),
    );
  });
});

describe('index', () => {
  it('holds the image, then the attestation, which runs nowhere', () => {
    const { index, blobs } = attestImage(IMAGE, STATEMENTS);
    const last = blobs.at(-1)!;
    const attestation = blobs.at(-2)!;
    assert.equal(index.digest, digestOf(last.bytes));
    assert.deepEqual(json(last.bytes), {
      schemaVersion: 2,
      mediaType: MEDIA.ociIndex,
      manifests: [
        { mediaType: MEDIA.ociManifest, digest: DIGEST, size: 1234, platform: { architecture: 'amd64', os: 'linux' } },
        {
          mediaType: MEDIA.ociManifest,
          digest: digestOf(attestation.bytes),
          size: attestation.bytes.length,
          annotations: {
            'vnd.docker.reference.digest': DIGEST,
            'vnd.docker.reference.type': 'attestation-manifest',
          },
          platform: { architecture: 'unknown', os: 'unknown' },
        },
      ],
    });
  });

  it('lists runnable images first and skips attestations nobody made', () => {
    const other = { ...IMAGE, digest: `sha256:${'c'.repeat(64)}` as Digest };
    const { blobs } = attestedIndex([
      { image: IMAGE, statements: STATEMENTS },
      { image: other, statements: [] },
    ]);
    const manifests = json(blobs.at(-1)!.bytes)['manifests'] as { digest: string }[];
    assert.deepEqual(
      manifests.map(({ digest }) => digest),
      [DIGEST, other.digest, blobs.at(-2)!.descriptor.digest],
    );
  });
});
