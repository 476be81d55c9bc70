import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatLock, type Lock, parseLock } from '../../../src/build/lock-file.ts';
import { LockRecord } from '../../../src/build/lock-record.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

const digest = (letter: string) => `sha256:${letter.repeat(64)}` as const;
const image = (reference: string, platform: string, letter = 'a') => ({
  reference,
  platform,
  name: `docker.io/library/${reference}`,
  digest: digest(letter),
});
const LOCK: Lock = {
  images: [image('b:1', 'linux/arm64/v8'), image('b:1', 'linux/amd64', 'b'), image('a:1', 'linux/amd64')],
  http: [
    { url: 'https://b/', digest: digest('c') },
    { url: 'https://a/', digest: digest('d') },
  ],
  git: [{ url: 'https://g/r.git#main', commit: 'e'.repeat(40) }],
};

describe('the text of a lock file', () => {
  it('depends on the entries alone, not on their order', () => {
    const turned = { images: [...LOCK.images].reverse(), http: [...LOCK.http].reverse(), git: LOCK.git };
    assert.equal(formatLock(LOCK), formatLock(turned));
    assert.equal(formatLock({ ...LOCK, http: [...LOCK.http, ...LOCK.http] }), formatLock(LOCK));
  });

  it('is one shape, sorted, ending in a line end', () => {
    const { http, git } = LOCK;
    assert.equal(
      formatLock({ images: [image('a:1', 'linux/amd64')], http: http.slice(0, 1), git }),
      `{
  "schemaVersion": 1,
  "images": [
    {
      "reference": "a:1",
      "platform": "linux/amd64",
      "name": "docker.io/library/a:1",
      "digest": "${digest('a')}"
    }
  ],
  "http": [
    {
      "url": "https://b/",
      "digest": "${digest('c')}"
    }
  ],
  "git": [
    {
      "url": "https://g/r.git#main",
      "commit": "${'e'.repeat(40)}"
    }
  ]
}
`,
    );
  });

  it('is read as it was written', () => {
    const read = parseLock(formatLock(LOCK), 'x');
    assert.equal(formatLock(read), formatLock(LOCK));
    assert.deepEqual(new Set(read.images), new Set(LOCK.images));
  });
});

describe('refused as a lock file', () => {
  const valid = JSON.parse(formatLock(LOCK)) as Record<string, unknown>;
  const cases: readonly (readonly [string, unknown, RegExp])[] = [
    ['no object', [], /it is not an object/],
    ['a later version', { ...valid, schemaVersion: 2 }, /its schemaVersion is 2, not 1/],
    ['no version', { images: [], http: [], git: [] }, /its schemaVersion is undefined, not 1/],
    ['a key of a later version', { ...valid, signatures: [] }, /the file has the unknown key "signatures"/],
    ['no list', { ...valid, git: {} }, /git is not a list/],
    ['an entry that is no object', { ...valid, http: [null] }, /http\[0\] is not an object/],
    [
      'a short digest',
      { ...valid, http: [{ url: 'https://a', digest: 'sha256:ab' }] },
      /http\[0\]\.digest is malformed/,
    ],
    ['a short commit', { ...valid, git: [{ url: 'https://a', commit: 'abc123' }] }, /git\[0\]\.commit is malformed/],
    ['no platform', { ...valid, images: [{ ...image('a', ''), platform: '' }] }, /images\[0\]\.platform is malformed/],
    ['a further key', { ...valid, http: [{ url: 'a', digest: digest('a'), size: 1 }] }, /unknown key "size"/],
    [
      'two answers',
      { ...valid, images: [image('a', 'linux/amd64'), image('a', 'linux/amd64', 'b')] },
      /locks the image a for linux\/amd64 twice/,
    ],
  ];
  for (const [name, document, message] of cases) {
    it(name, () => {
      assert.throws(
        () => parseLock(JSON.stringify(document), '/x/slipway.lock'),
        (error) =>
          isBuilderError(error, 'lock.invalid') &&
          message.test(error.message) &&
          error.message.startsWith('cannot use the lock file /x/slipway.lock: '),
      );
    });
  }
  it('what is not JSON', () => {
    assert.throws(() => parseLock('{', 'x'), /it is not JSON/);
  });
});

describe('what a build collects for its lock file', () => {
  it('is each input once, without logins in addresses', () => {
    const record = new LockRecord();
    for (let n = 0; n < 2; n++) {
      record.image(image('a', 'linux/amd64'));
      record.fetched({ kind: 'http', url: 'https://user:pw@host/f', digest: digest('a') });
      record.fetched({ kind: 'git', url: 'https://token@host/r.git#x', commit: 'b'.repeat(40) });
    }
    assert.deepEqual(record.lock, {
      images: [image('a', 'linux/amd64')],
      http: [{ url: 'https://host/f', digest: digest('a') }],
      git: [{ url: 'https://host/r.git#x', commit: 'b'.repeat(40) }],
    });
  });

  it('cannot be two things', () => {
    const record = new LockRecord();
    record.image(image('a', 'linux/amd64'));
    record.image(image('a', 'linux/arm64', 'b'));
    assert.throws(
      () => record.image(image('a', 'linux/amd64', 'c')),
      (error) => isBuilderError(error, 'lock.mismatch') && error.message.includes(`${digest('a')} and ${digest('c')}`),
    );
    record.fetched({ kind: 'http', url: 'https://host/f', digest: digest('a') });
    assert.throws(() => record.fetched({ kind: 'http', url: 'https://host/f', digest: digest('b') }), /cannot lock/);
  });
});
