import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseStorageImage } from '../../../src/image/transport/storage-image.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

const ID = 'ab'.repeat(32);

describe('names behind containers-storage:', () => {
  for (const [location, expected] of [
    ['app', { name: 'docker.io/library/app:latest', id: undefined }],
    ['localhost/app:1', { name: 'localhost/app:1', id: undefined }],
    [ID, { name: undefined, id: ID }],
    [`@${ID}`, { name: undefined, id: ID }],
    [`localhost/app:1@${ID}`, { name: 'localhost/app:1', id: ID }],
    ['[vfs@/var/x+/run/x]localhost/app', { driver: 'vfs', graphRoot: '/var/x', runRoot: '/run/x' }],
    ['[/var/x]localhost/app', { driver: '', graphRoot: '/var/x', runRoot: '' }],
    ['[overlay@/var/x+/run/x:a=b,c=d]localhost/app', { options: ['a=b', 'c=d'], name: 'localhost/app:latest' }],
  ] as const) {
    it(location, () => {
      const parsed = parseStorageImage(location);
      for (const [key, value] of Object.entries(expected)) assert.deepEqual(parsed[key as 'name'], value, key);
      assert.equal(parsed.location, location);
    });
  }

  for (const location of ['', '[vfs@/x', '[vfs@x+y]app', '[vfs@/x]', 'UPPER', '--help']) {
    it(`${JSON.stringify(location)} is refused`, () => {
      assert.throws(
        () => parseStorageImage(location),
        (error) => isBuilderError(error, 'reference.invalid'),
      );
    });
  }
});
