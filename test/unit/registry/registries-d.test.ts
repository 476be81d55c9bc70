import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { lookasideBase, pathOfUrl, signatureUrl } from '../../../src/registry/lookaside.ts';
import { loadSignatureStores, lookasideOf, usesAttachments } from '../../../src/registry/registries-d.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { digestFromHex } from '../../../src/spec/digest.ts';
import { parseReference, qualify } from '../../../src/spec/reference.ts';

const ref = (text: string) => qualify(parseReference(text), 'docker.io');
const HEX = 'a'.repeat(64);

/** What a directory with these files says. */
async function storesOf(files: Readonly<Record<string, string>>) {
  const dir = mkdtempSync(join(tmpdir(), 'slipway-registries-d-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
    return await loadSignatureStores({ dir });
  } finally {
    rmSync(dir, { recursive: true });
  }
}

describe('registries.d', () => {
  it('gives the nearest scope that says something, old names included', async () => {
    const stores = await storesOf({
      'a.yaml': [
        'default-docker:',
        '  sigstore-staging: file:///staging',
        'docker:',
        '  quay.io:',
        '    lookaside: https://quay.example/sigs',
        '    use-sigstore-attachments: true',
        '  quay.io/a:',
        '    sigstore: https://old.example',
        '  quay.io/a/b:1:',
        '    use-sigstore-attachments: false',
      ].join('\n'),
      'b.yaml': 'docker:\n  "*.example.com":\n    lookaside-staging: file:///w\n    lookaside: https://r.example\n',
      'ignored.txt': ': not yaml',
    });
    const rows: readonly [string, string | undefined, string | undefined, boolean][] = [
      ['quay.io/x', 'https://quay.example/sigs', 'https://quay.example/sigs', true],
      ['quay.io/a/b:1', 'https://old.example', 'https://old.example', false],
      ['quay.io/a/b:2', 'https://old.example', 'https://old.example', true],
      ['eu.example.com/x', 'https://r.example', 'file:///w', false],
      ['docker.io/library/x', undefined, 'file:///staging', false],
    ];
    for (const [name, read, write, attached] of rows) {
      const found = [lookasideOf(stores, ref(name), 'read'), lookasideOf(stores, ref(name), 'write')];
      assert.deepEqual([...found, usesAttachments(stores, ref(name))], [read, write, attached], name);
    }
  });

  const broken: readonly [Readonly<Record<string, string>>, RegExp][] = [
    [{ 'a.yaml': 'docker: {}\ndefault-docker: [' }, /a\.yaml:2 cannot be used/],
    [{ 'a.yaml': '- a' }, /a\.yaml cannot be used: it is not a mapping/],
    [{ 'a.yaml': 'docker: 1' }, /key docker: expected a mapping/],
    [{ 'a.yaml': 'docker:\n  x:\n    lookaside: 1' }, /key docker\."x"\.lookaside: expected a string/],
    [
      { 'a.yaml': 'default-docker:\n  use-sigstore-attachments: 1' },
      /use-sigstore-attachments: expected true or false/,
    ],
    [
      { 'a.yaml': 'docker: {x: {}}', 'b.yaml': 'docker: {x: {}}' },
      /b\.yaml cannot be used: docker\."x" stands in \S+a\.yaml too/,
    ],
    [{ 'a.yaml': 'default-docker: {}', 'b.yaml': 'default-docker: {}' }, /default-docker stands in another file/],
  ];
  for (const [files, message] of broken) {
    it(`is refused: ${JSON.stringify(files)}`, async () => {
      await assert.rejects(storesOf(files), (e) => isBuilderError(e, 'trust.invalid') && message.test(e.message));
    });
  }

  it('is that of the user where there is one', async () => {
    const home = mkdtempSync(join(tmpdir(), 'slipway-home-'));
    try {
      const own = join(home, '.config/containers/registries.d');
      mkdirSync(own, { recursive: true });
      writeFileSync(join(own, 'a.yaml'), 'default-docker: {lookaside: "file:///mine"}');
      const stores = await loadSignatureStores({ env: { HOME: home } });
      assert.equal(lookasideOf(stores, ref('x'), 'read'), 'file:///mine');
    } finally {
      rmSync(home, { recursive: true });
    }
  });
});

describe('a signature store', () => {
  const none = { defaults: {}, scopes: new Map() };
  const of = (lookaside: string) => ({ defaults: { lookaside }, scopes: new Map() });

  it('has a directory for every manifest', () => {
    const base = lookasideBase(of('https://h.example/a/'), ref('quay.io/n/x:1'), 'read', { env: {} });
    const url = signatureUrl(base, digestFromHex(HEX), 3);
    assert.equal(url.href, `https://h.example/a/n/x@sha256=${HEX}/signature-3`);
  });

  it('may have spaces and other letters in its path', () => {
    const base = lookasideBase(of('file:///a b/ü%20c'), ref('x'), 'read', { env: {} });
    const path = pathOfUrl(signatureUrl(base, digestFromHex(HEX), 1));
    assert.equal(path, `/a b/ü c/library/x@sha256=${HEX}/signature-1`);
  });

  it('is the directory of the caller where nothing is configured', () => {
    const at = (uid: string) =>
      pathOfUrl(lookasideBase(none, ref('x'), 'write', { env: { HOME: '/home/a b', SLIPWAY_ROOTLESS_UID: uid } }));
    assert.equal(at('1000'), '/home/a b/.local/share/containers/sigstore/library/x');
    assert.equal(at('0'), '/var/lib/containers/sigstore/library/x');
  });

  it('is a directory or a web server', () => {
    for (const url of ['ftp://h/x', 'nothing', '/path']) {
      assert.throws(() => lookasideBase(of(url), ref('x'), 'read', { env: {} }), /no file, http or https URL/);
    }
  });
});
