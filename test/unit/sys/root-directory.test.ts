import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { RootDirectory } from '../../../src/sys/root-directory.ts';

describe('RootDirectory.makeDirectories', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'slipway-tree-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('makes what a dangling link names, parents and all, inside the root', () => {
    symlinkSync('/far/../deep/down', join(root, 'w'));
    symlinkSync('../../w/again', join(root, 'v'));
    using directory = new RootDirectory(root);
    directory.makeDirectories('v/new');
    assert.ok(statSync(join(root, 'deep/down/again/new')).isDirectory());
    assert.equal(existsSync('/deep'), false);
  });

  it('ends at links that lead to each other', () => {
    symlinkSync('b/x', join(root, 'a'));
    symlinkSync('a/y', join(root, 'b'));
    using directory = new RootDirectory(root);
    assert.throws(() => directory.makeDirectories('a/new'), /ELOOP|too many/);
  });

  it('a file in the way is named', () => {
    writeFileSync(join(root, 'f'), '');
    symlinkSync('/f/x', join(root, 'w'));
    using directory = new RootDirectory(root);
    assert.throws(() => directory.makeDirectories('w'), /"f": not a directory/);
  });
});
