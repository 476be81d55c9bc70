import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Engine } from '../../../src/container/engine.ts';
import { findImage, spokenName } from '../../../src/container/local-image.ts';
import { aliasedName, localNames, newImageName } from '../../../src/container/short-names.ts';
import type { Digest } from '../../../src/spec/digest.ts';
import { MEDIA } from '../../../src/spec/media-type.ts';
import type { ImageRecord } from '../../../src/store/image-table.ts';

const root = mkdtempSync(join(tmpdir(), 'slipway-names-'));
after(() => rmSync(root, { recursive: true }));
const registriesConf = join(root, 'registries.conf');
writeFileSync(
  registriesConf,
  'unqualified-search-registries = ["first.test", "docker.io"]\n[aliases]\n"tool" = "vendor.test/deep/tool"\n',
);

/** Only what looking up names asks for. */
function engineWith(...names: readonly string[]): Engine {
  const images = names.map((name, i): ImageRecord => {
    const hex = String(i + 1).repeat(64);
    const manifest = { mediaType: MEDIA.ociManifest, digest: `sha256:${hex}` as Digest, size: 1 };
    return { id: hex, names: [name], manifest, created: '' };
  });
  return { store: { images: { list: () => images } }, env: {}, callerUid: 1000, registriesConf } as unknown as Engine;
}

describe('names in the store', () => {
  it('a short name is its alias, local, one of the search registries, or of Docker Hub', () => {
    const engine = engineWith();
    assert.deepEqual(localNames(engine, 'tool:2'), [
      'vendor.test/deep/tool:2',
      'localhost/tool:2',
      'first.test/tool:2',
      'docker.io/library/tool:2',
    ]);
    assert.deepEqual(localNames(engine, 'a/b'), [
      'localhost/a/b:latest',
      'first.test/a/b:latest',
      'docker.io/a/b:latest',
    ]);
    assert.deepEqual(localNames(engine, 'h.test/x'), ['h.test/x:latest']);
    assert.deepEqual(localNames(engine, 'Not/A:Name:'), []);
  });

  it('the first that is there is meant', () => {
    const names = ['docker.io/library/tool:latest', 'localhost/tool:latest', 'vendor.test/deep/tool:latest'];
    for (let count = 1; count <= names.length; count++) {
      const engine = engineWith(...names.slice(0, count));
      const found = findImage(engine, 'tool')!;
      assert.deepEqual(found.names, [names[count - 1]]);
      assert.equal(spokenName(engine, found, 'tool'), names[count - 1]);
    }
  });

  it('an id means no name', () => {
    const engine = engineWith('localhost/tool:latest');
    const found = findImage(engine, '1111')!;
    assert.equal(spokenName(engine, found, '1111'), undefined);
  });

  it('what is new goes under localhost; only a commit follows an alias', () => {
    assert.equal(newImageName('tool'), 'localhost/tool:latest');
    assert.equal(aliasedName(engineWith(), 'tool'), 'vendor.test/deep/tool:latest');
    assert.equal(aliasedName(engineWith(), 'other'), undefined);
    assert.equal(aliasedName(engineWith(), 'h.test/tool'), undefined);
  });
});
