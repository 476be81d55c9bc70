import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { formatSignatureFile, type ImageSignature, parseSignatureFile } from '../../../src/spec/image-signature.ts';

describe('a file with a signature', () => {
  it('gives back what was written', () => {
    const signatures: readonly ImageSignature[] = [
      { format: 'simple', message: Buffer.from([0xa3, 1, 2]) },
      { format: 'sigstore', mediaType: 'a/b', payload: Buffer.from('\n\0{}'), annotations: { k: 'v' } },
    ];
    for (const signature of signatures)
      assert.deepEqual(parseSignatureFile(formatSignatureFile(signature), 'x'), signature);
  });

  for (const first of [0x88, 0x90, 0xa0, 0xa3, 0xc2, 0xc4, 0xc8]) {
    it(`that begins with 0x${first.toString(16)} is an OpenPGP message`, () => {
      assert.equal(parseSignatureFile(Buffer.from([first, 0]), 'x').format, 'simple');
    });
  }

  it('may name simple signing', () => {
    const file = Buffer.from('\0simple-signing\n\xa3', 'latin1');
    assert.deepEqual(parseSignatureFile(file, 'x'), { format: 'simple', message: Buffer.from([0xa3]) });
  });

  const broken: readonly [string, RegExp][] = [
    ['', /it is empty/],
    ['<html>', /neither an OpenPGP message/],
    // A literal message, which is signed by nobody, and a clear-signed one.
    ['\xcb\x00', /neither an OpenPGP message/],
    ['-----BEGIN PGP SIGNED MESSAGE-----', /neither an OpenPGP message/],
    ['\0sigstore-json', /the name of its format does not end/],
    ['\0other\nx', /its format "other" is not known/],
    ['\0sigstore-json\n{', /it is not JSON/],
    ['\0sigstore-json\n{"mimeType":"a","payload":"","payload":""}', /it is not JSON/],
    ['\0sigstore-json\n{"mimeType":"a"}', /no mimeType or no payload/],
    ['\0sigstore-json\n{"mimeType":"a","payload":"","annotations":{"a":1}}', /an annotation is not a string/],
  ];
  for (const [text, message] of broken) {
    it(`is refused: ${JSON.stringify(text).slice(0, 50)}`, () => {
      assert.throws(
        () => parseSignatureFile(Buffer.from(text, 'latin1'), 'x'),
        (error) => isBuilderError(error, 'signature.invalid') && message.test(error.message),
      );
    });
  }
});
