import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readContainerfile } from '../../../src/build/containerfile.ts';
import { firstReason, missingPrograms } from '../../support/command.ts';

describe('Containerfiles through cpp', { skip: firstReason(missingPrograms('cpp')) }, () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'slipway-cpp-'));
    writeFileSync(join(folder, 'common.in'), 'ENV COMMON=1\n');
    writeFileSync(
      join(folder, 'Containerfile.in'),
      'FROM BASE\n#include "common.in"\n#ifdef EXTRA\nRUN extra\n#endif\n',
    );
    writeFileSync(join(folder, 'Containerfile'), 'FROM BASE\n');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const read = (name: string, cppFlags: readonly string[]) =>
    readContainerfile({ files: [join(folder, name)], contextDir: folder, cwd: folder, cppFlags, readStdin: () => '' })
      .source.text.split('\n')
      .filter((line) => line.trim() !== '');

  it('names in .in are preprocessed with the flags given', () => {
    assert.deepEqual(read('Containerfile.in', ['-DBASE=alpine']), ['FROM alpine', 'ENV COMMON=1']);
    assert.deepEqual(read('Containerfile.in', ['-DBASE=b', '-DEXTRA']), ['FROM b', 'ENV COMMON=1', 'RUN extra']);
  });
  it('other names are left alone', () => {
    assert.deepEqual(read('Containerfile', ['-DBASE=alpine']), ['FROM BASE']);
  });
});
