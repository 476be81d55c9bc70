import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { MEDIA } from '../../../src/spec/media-type.ts';
import { MAX_DOCUMENT_BYTES, parseImageConfig, parseManifest } from '../../../src/spec/schema.ts';

const HEX = 'a'.repeat(64);
const DESCRIPTOR = { mediaType: MEDIA.ociLayerGzip, digest: `sha256:${HEX}`, size: 3 };
const CONFIG = { ...DESCRIPTOR, mediaType: MEDIA.ociConfig };
const MANIFEST = { schemaVersion: 2, mediaType: MEDIA.ociManifest, config: CONFIG, layers: [DESCRIPTOR] };
const INDEX = {
  schemaVersion: 2,
  mediaType: MEDIA.ociIndex,
  manifests: [{ ...DESCRIPTOR, mediaType: MEDIA.ociManifest, platform: { os: 'linux', architecture: 'arm64' } }],
};

const bytes = (value: unknown): Buffer => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

function refuses(action: () => unknown, why: RegExp): void {
  assert.throws(action, (error) => {
    assert.ok(isBuilderError(error, 'manifest.invalid'), String(error));
    assert.match(error.message, why);
    assert.ok(error.message.length < 600);
    return true;
  });
}

describe('parseManifest', () => {
  it('reads manifests and indexes of both families', () => {
    assert.deepEqual(parseManifest(bytes(MANIFEST)), {
      kind: 'manifest',
      mediaType: MEDIA.ociManifest,
      value: MANIFEST,
    });
    assert.deepEqual(parseManifest(bytes(INDEX), MEDIA.ociIndex).kind, 'index');
    const docker = {
      ...MANIFEST,
      mediaType: MEDIA.dockerManifest,
      config: { ...CONFIG, mediaType: MEDIA.dockerConfig },
    };
    assert.equal(parseManifest(bytes(docker)).mediaType, MEDIA.dockerManifest);
    assert.equal(parseManifest(bytes({ ...INDEX, mediaType: MEDIA.dockerList })).mediaType, MEDIA.dockerList);
  });

  it('takes the declared type where the body has none, and what the fields imply where neither says', () => {
    const { mediaType: _, ...bare } = MANIFEST;
    assert.equal(parseManifest(bytes(bare), `${MEDIA.dockerManifest}; charset=utf-8`).mediaType, MEDIA.dockerManifest);
    assert.equal(parseManifest(bytes(bare), 'application/json').mediaType, MEDIA.ociManifest);
    const { mediaType: __, ...index } = INDEX;
    assert.equal(parseManifest(bytes(index)).mediaType, MEDIA.ociIndex);
  });

  it('members that are null are absent, null lists are empty', () => {
    const { value } = parseManifest(bytes({ ...MANIFEST, layers: null, annotations: null }));
    assert.deepEqual(value, { ...MANIFEST, layers: [] });
  });

  for (const digest of [
    'sha256:../../../../canary',
    'sha256:',
    'SHA256:ABC',
    'md5:..',
    `sha256:${HEX}a`,
    `sha256:${HEX.slice(1)}`,
  ]) {
    it(`B33 refuses the digest ${digest.slice(0, 30)}`, () => {
      refuses(
        () => parseManifest(bytes({ ...MANIFEST, layers: [{ ...DESCRIPTOR, digest }] })),
        /at \/layers\/0\/digest: expected sha256:/,
      );
      refuses(
        () => parseManifest(bytes({ ...INDEX, manifests: [{ ...DESCRIPTOR, digest }] })),
        /at \/manifests\/0\/digest/,
      );
    });
  }

  for (const size of ['-1', '1152921504606846976', '9007199254740993', '1.5', '"3"', 'true']) {
    it(`B36 refuses the size ${size}`, () => {
      refuses(
        () => parseManifest(bytes(JSON.stringify(MANIFEST).replace('"size":3', `"size":${size}`))),
        /at \/config\/size: expected/,
      );
    });
  }

  it('B39 refuses 6 MiB', () => {
    refuses(() => parseManifest(bytes({ ...MANIFEST, annotations: { x: 'y'.repeat(6 << 20) } })), /limit of 4194304/);
    assert.equal(MAX_DOCUMENT_BYTES, 4 << 20);
  });

  it('B40 refuses a million opening brackets', () => {
    refuses(() => parseManifest(bytes('['.repeat(1_000_000))), /nested more than/);
    refuses(() => parseManifest(bytes('{"a":'.repeat(500_000))), /nested more than/);
  });

  it('B41 refuses a body that is manifest and index at once, with or without a media type', () => {
    refuses(() => parseManifest(bytes({ ...MANIFEST, manifests: [] })), /both "layers" and "manifests"/);
    const { mediaType: _, ...bare } = MANIFEST;
    refuses(() => parseManifest(bytes({ ...bare, manifests: null })), /both "layers" and "manifests"/);
  });

  it('B41 refuses media types that contradict each other or the content', () => {
    refuses(() => parseManifest(bytes(MANIFEST), MEDIA.dockerManifest), /at \/mediaType: it says .* declared as/);
    refuses(() => parseManifest(bytes(MANIFEST), MEDIA.ociIndex), /declared as/);
    const { mediaType: _, ...bare } = MANIFEST;
    refuses(() => parseManifest(bytes(bare), MEDIA.ociIndex), /contradicts its content/);
    refuses(() => parseManifest(bytes({ ...INDEX, mediaType: MEDIA.ociManifest })), /contradicts its content/);
    refuses(() => parseManifest(bytes({ ...MANIFEST, mediaType: 'text/plain' })), /no media type of a manifest/);
  });

  it('B42 refuses duplicate keys, escaped ones too', () => {
    const text = JSON.stringify(MANIFEST);
    refuses(() => parseManifest(bytes(text.replace('"layers"', '"layers":[],"layers"'))), /"layers" appears twice/);
    refuses(
      () => parseManifest(bytes(text.replace('"layers"', '"layers":[],"\\u006cayers"'))),
      /"layers" appears twice/,
    );
  });

  it('B42 refuses case variants of known keys at every level, and leaves maps alone', () => {
    refuses(
      () => parseManifest(bytes({ ...MANIFEST, Layers: [] })),
      /at \/Layers: the key differs from "layers" only in case/,
    );
    refuses(() => parseManifest(bytes({ ...MANIFEST, layerſ: [] })), /differs from "layers"/);
    refuses(
      () => parseManifest(bytes({ ...MANIFEST, layers: [{ ...DESCRIPTOR, Digest: 'x' }] })),
      /at \/layers\/0\/Digest/,
    );
    parseManifest(bytes({ ...MANIFEST, annotations: { size: '1', Size: '2' }, other: 1 }));
  });

  it('names what is missing and what is no JSON', () => {
    refuses(() => parseManifest(bytes({ schemaVersion: 2, config: CONFIG })), /member "layers" is missing/);
    refuses(() => parseManifest(bytes('<html>')), /is not JSON/);
    refuses(() => parseManifest(bytes('[]')), /must be an object/);
    refuses(() => parseManifest(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes(MANIFEST)])), /is not JSON/);
    refuses(() => parseManifest(bytes({ schemaVersion: 1, fsLayers: [] })), /schema version 1/);
  });
});

describe('parseImageConfig', () => {
  const config = {
    os: 'linux',
    architecture: 'amd64',
    config: { Env: ['A=b'], Labels: { b: '1', B: '2' }, ExposedPorts: { '80/tcp': {} } },
    rootfs: { type: 'layers', diff_ids: [`sha256:${HEX}`] },
    history: [{ created_by: 'x', empty_layer: true }],
    docker_version: '20',
  };

  it('keeps everything, unknown members included', () => {
    assert.deepEqual(parseImageConfig(bytes(config)), config);
  });

  it('leaves out what is null', () => {
    const nulls = {
      ...config,
      history: null,
      config: { Cmd: null, Env: null },
      rootfs: { type: 'layers', diff_ids: null },
    };
    const { history: _, ...rest } = config;
    assert.deepEqual(parseImageConfig(bytes(nulls)), { ...rest, config: {}, rootfs: { type: 'layers', diff_ids: [] } });
  });

  it('refuses what would be read two ways or not at all', () => {
    refuses(
      () => parseImageConfig(bytes({ ...config, config: { env: ['X=1'], Env: [] } })),
      /at \/config\/env: the key differs/,
    );
    refuses(
      () => parseImageConfig(bytes({ ...config, config: { Env: [1] } })),
      /at \/config\/Env\/0: expected a string, found 1/,
    );
    refuses(() => parseImageConfig(bytes({ ...config, rootfs: { type: 'x', diff_ids: [] } })), /expected "layers"/);
    refuses(
      () => parseImageConfig(bytes({ ...config, rootfs: { type: 'layers', diff_ids: ['sha256:../x'] } })),
      /diff_ids\/0/,
    );
    refuses(() => parseImageConfig(bytes({ os: 'linux' })), /is missing/);
  });
});

describe('schema-validators.ts', () => {
  it('is what the schemas compile to', async () => {
    // Built files live in build/, the script and its output in the tree.
    const script = new URL('../../../../scripts/validators.mjs', import.meta.url);
    const { validatorsModule } = (await import(pathToFileURL(script.pathname).href)) as { validatorsModule(): string };
    const file = new URL('../../../../src/spec/schema-validators.ts', import.meta.url);
    assert.equal(readFileSync(file, 'utf8'), validatorsModule());
  });
});
