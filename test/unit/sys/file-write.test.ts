import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { namingFile, writeFile, writeFully } from '../../../src/sys/file-write.ts';
import { errnoOf } from '../../../src/sys/libc.ts';

const failed = (facts: object) => Object.assign(new Error('node said so'), { syscall: 'write', ...facts });

describe('errors of writing', () => {
  it('name the file and keep the errno', () => {
    const fd = openSync('/dev/full', 'w');
    const told = { code: 'sys.call-failed', message: 'cannot write "/dev/full": no space left on device (ENOSPC)' };
    assert.throws(() => writeFully(fd, Buffer.from('x')), told);
    closeSync(fd);
    assert.throws(() => writeFile('/dev/full', 'x'), told);
  });

  it('of kernels that know more than node are named', () => {
    const error = namingFile(failed({ code: 'Unknown system error -122', errno: -122 }), '/x');
    assert.equal((error as Error).message, 'cannot write "/x": disk quota exceeded (EDQUOT)');
    assert.equal(errnoOf(error), 'EDQUOT');
  });

  it('that name a file already, and others, stay as they are', () => {
    for (const error of [failed({ code: 'EIO', path: '/y' }), new Error('else'), 'text']) {
      assert.equal(namingFile(error, '/x'), error);
    }
  });
});

it('everything is written, at a position too', () => {
  const folder = mkdtempSync(join(tmpdir(), 'write-'));
  try {
    const path = join(folder, 'f');
    const fd = openSync(path, 'w');
    writeFully(fd, Buffer.from('abc'));
    writeFully(fd, Buffer.from('def'));
    writeFully(fd, Buffer.from('XY'), 1);
    closeSync(fd);
    assert.equal(readFileSync(path, 'utf8'), 'aXYdef');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
