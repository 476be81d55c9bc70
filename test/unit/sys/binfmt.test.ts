import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { emulationOf } from '../../../src/sys/binfmt.ts';

const AARCH64 =
  'enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POCF\noffset 0\n' +
  'magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n';
const S390X =
  'enabled\ninterpreter /usr/bin/qemu-s390x-static\nflags: F\noffset 0\n' +
  'magic 7f454c4602020100000000000000000000020016\nmask ffffffffffffff00fffffffffffffffffffeffff\n';

describe('emulation of other architectures', () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-binfmt-'));
  writeFileSync(join(folder, 'status'), 'enabled\n');
  writeFileSync(join(folder, 'register'), '');
  writeFileSync(join(folder, 'qemu-aarch64'), AARCH64);
  writeFileSync(join(folder, 'qemu-s390x'), S390X);
  writeFileSync(join(folder, 'qemu-riscv64'), 'disabled\n');
  writeFileSync(join(folder, 'python3'), 'enabled\ninterpreter /usr/bin/python3\nflags:\noffset 0\nmagic 6f0d0d0a\n');
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('needs none for the own architecture and its 32-bit sibling', () => {
    assert.equal(emulationOf('amd64', 'amd64', folder), 'native');
    assert.equal(emulationOf('amd64', '386', folder), 'native');
    assert.equal(emulationOf('arm64', 'arm', folder), 'native');
  });

  it('finds an interpreter by the machine in its magic, in either byte order', () => {
    assert.equal(emulationOf('amd64', 'arm64', folder), 'emulated');
    assert.equal(emulationOf('amd64', 's390x', folder), 'emulated');
  });

  it('does not count disabled ones, and says when nothing can be known', () => {
    assert.equal(emulationOf('amd64', 'riscv64', folder), 'missing');
    assert.equal(emulationOf('amd64', 'arm64', join(folder, 'nowhere')), 'unknown');
    assert.equal(emulationOf('amd64', 'vax', folder), 'unknown');
  });
});
