import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { makeDirectories } from '../../../src/sys/make-directories.ts';

describe('makeDirectories', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'slipway-directories-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const modeOf = (path: string): number => statSync(path).mode & 0o777;

  it('makes what is missing with the mode and leaves what is there', () => {
    mkdirSync(join(root, 'there'), { mode: 0o750 });
    makeDirectories(join(root, 'there/a/b/'), 0o700);
    assert.deepEqual(
      ['there', 'there/a', 'there/a/b'].map((name) => modeOf(join(root, name))),
      [0o750, 0o700, 0o700],
    );
    makeDirectories(join(root, 'there/a/b'), 0o755);
    assert.equal(modeOf(join(root, 'there/a/b')), 0o700);
    makeDirectories('/');
  });

  it('goes through a link to a directory', () => {
    mkdirSync(join(root, 'there'));
    symlinkSync('there', join(root, 'link'));
    makeDirectories(join(root, 'link'));
    makeDirectories(join(root, 'link/a'));
    assert.ok(statSync(join(root, 'there/a')).isDirectory());
  });

  for (const [what, make, words] of [
    ['a file', (path: string) => writeFileSync(path, ''), 'no directory'],
    ['a link that dangles', (path: string) => symlinkSync('nowhere', path), 'a link that leads to no directory'],
    ['a link to itself', (path: string) => symlinkSync('way', path), 'a link that leads to no directory'],
  ] as const) {
    it(`says that ${what} is in the way, and leaves it`, () => {
      const way = join(root, 'way');
      make(way);
      for (const path of [way, join(way, 'a/b')]) {
        assert.throws(
          () => makeDirectories(path),
          (error) =>
            isBuilderError(error, 'sys.call-failed') &&
            error.facts['errno'] === 'ENOTDIR' &&
            error.message === `cannot make the directory ${JSON.stringify(path)}: ${JSON.stringify(way)} is ${words}`,
        );
      }
      if (what !== 'a file') assert.ok(readlinkSync(way) !== '');
    });
  }

  // node's own recursive mkdir never comes back from here.
  it('ends where the kernel makes no directories', () => {
    for (const path of ['/proc/slipway', '/proc/slipway/a/b', '/proc/self/slipway/a']) {
      assert.throws(() => makeDirectories(path), /ENOENT|EPERM|EACCES/);
    }
  });
});
