import assert from 'node:assert/strict';
import { it } from 'node:test';
import { detectFileType } from '../../../src/spec/file-type.ts';

/** Name, first bytes, type. */
const FILES: readonly (readonly [string, string, string])[] = [
  ['a.json', '\0', 'application/json'],
  ['A.TXT', '', 'text/plain'],
  ['archive.tar.gz', '', 'application/gzip'],
  ['plain', 'words\n\tand tabs\x1b[0m', 'text/plain'],
  ['empty', '', 'text/plain'],
  ['data', 'a\0b', 'application/octet-stream'],
  ['picture', '\x89PNG\r\n\x1a\n\0', 'image/png'],
  ['packed.bin', '\x1f\x8b\x08\0', 'application/x-gzip'],
  ['.json', '', 'application/json'],
];

for (const [name, head, type] of FILES) {
  it(`${name} beginning ${JSON.stringify(head)} is ${type}`, () => {
    assert.equal(detectFileType(name, Buffer.from(head, 'latin1')), type);
  });
}
