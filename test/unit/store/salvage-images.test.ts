/** What is left of an image table that was cut off. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { salvageImages } from '../../../src/store/damaged-records.ts';
import type { ImageRecord } from '../../../src/store/image-table.ts';

const record = (digit: string, name: string): ImageRecord => ({
  id: digit.repeat(64),
  names: [name],
  manifest: {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: `sha256:${digit.repeat(64)}` as never,
    size: 7,
  },
  created: '2026-11-21T10:00:00Z',
});
const RECORDS = [record('a', 'localhost/one:1'), record('b', 'odd"}{"id":"\\'), record('c', 'localhost/three:1')];
const TEXT = JSON.stringify({ version: 1, images: RECORDS });

it('every record that is whole is found, wherever the table ends', () => {
  for (let length = 0; length <= TEXT.length; length++) {
    const found = salvageImages(TEXT.slice(0, length));
    const whole = RECORDS.filter(
      (_, i) => length >= TEXT.indexOf(JSON.stringify(RECORDS[i])) + JSON.stringify(RECORDS[i]).length,
    );
    assert.deepEqual(found, whole);
  }
});
it('nothing is found in what is no table', () => {
  for (const text of ['', '\0\0\0\0', '[]', '{"id":"x"}', '{"id":"a","names":[1]}'])
    assert.deepEqual(salvageImages(text), []);
});
