/**
 * RUN of another architecture: through an interpreter registered with binfmt_misc where there is one, a clear error where
 * not. The register is one of a user namespace's own (Linux 6.7), so that nothing of the machine changes.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ordinaryAccount } from '../support/account.ts';
import { findProgram, firstReason, missingPrograms, tryCommand } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

const WORDS = 'hello from another machine\n';

/** A static program for arm64 that writes WORDS and ends. @see elf(5); Arm A64 instruction set, MOVZ, ADR, SVC */
function armProgram(): Buffer {
  const movz = (register: number, value: number): number => (0xd2800000 | (value << 5) | register) >>> 0;
  const SVC = 0xd4000001;
  const code = [movz(0, 1), 0, movz(2, WORDS.length), movz(8, 64), SVC, movz(0, 0), movz(8, 93), SVC];
  // ADR x1, to what follows the code: counted in words from the instruction itself.
  code[1] = (0x10000000 | ((code.length - 1) << 5) | 1) >>> 0;
  const HEADERS = 64 + 56;
  const size = HEADERS + code.length * 4 + WORDS.length;
  const file = Buffer.alloc(size);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(183, 18); // EM_AARCH64
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(0x400000n + BigInt(HEADERS), 24); // entry
  file.writeBigUInt64LE(64n, 32); // program headers
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64); // PT_LOAD
  file.writeUInt32LE(5, 68); // readable, executable
  file.writeBigUInt64LE(0x400000n, 80);
  file.writeBigUInt64LE(0x400000n, 88);
  file.writeBigUInt64LE(BigInt(size), 96);
  file.writeBigUInt64LE(BigInt(size), 104);
  file.writeBigUInt64LE(0x10000n, 112);
  code.forEach((word, i) => {
    file.writeUInt32LE(word, HEADERS + i * 4);
  });
  file.write(WORDS, HEADERS + code.length * 4);
  return file;
}

const REGISTER = '/proc/sys/fs/binfmt_misc';
const MOUNT = `mount -t binfmt_misc none ${REGISTER}`;
/** ELF, 64 bits, little-endian, executable, arm64; F: the interpreter is opened now, whatever root is entered later. */
const ENTRY = `:arm64:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00::${findProgram('qemu-aarch64-static')}:F`;

const account = ordinaryAccount();
const skip = firstReason(
  typeof account === 'string' && account,
  process.arch === 'arm64' && 'arm64 is this very machine',
  missingPrograms('qemu-aarch64-static', 'unshare'),
  tryCommand('unshare', ['-Urm', 'sh', '-c', MOUNT]).status !== 0 &&
    'this kernel has no binfmt_misc in user namespaces (Linux 6.7)',
);

describe('RUN of another architecture', { skip }, () => {
  const context = mkdtempSync(join(tmpdir(), 'slipway-emulation-'));
  before(() => {
    chmodSync(context, 0o755);
    writeFileSync(join(context, 'hello'), armProgram(), { mode: 0o755 });
    for (const [name, text] of [
      ['base', 'FROM scratch\nCOPY hello /\n'],
      ['app', 'FROM localhost/base\nRUN ["/hello"]\nWORKDIR /made\n'],
    ] as const) {
      mkdirSync(join(context, name));
      writeFileSync(join(context, name, 'Dockerfile'), text);
    }
  });
  after(() => rmSync(context, { recursive: true, force: true }));

  it('goes through the interpreter that the kernel knows; without one the error says what to install', async () => {
    if (typeof account === 'string') return;
    await using rig = await Rig.open({ account });
    const build = (name: string): string[] => [
      ...['build', '--platform', 'linux/arm64', '-t', name, '-f', join(context, name, 'Dockerfile'), context],
    ];
    rig.must(build('base'));
    const inside = (script: string) => rig.try(['unshare', 'sh', '-c', script]);
    const app = [rig.program, ...rig.storeFlags, ...build('app')].map((word) => `'${word}'`).join(' ');

    const without = inside(`${MOUNT} && exec ${app}`);
    assert.equal(without.status, 125, without.stderr);
    assert.match(without.stderr, /cannot run programs of linux\/arm64/);
    assert.match(without.stderr, /apt-get install qemu-user-static/);

    const withIt = inside(`${MOUNT} && printf %s '${ENTRY}' > ${REGISTER}/register && exec ${app}`);
    assert.equal(withIt.status, 0, withIt.stderr);
    assert.ok(withIt.stdout.includes(WORDS), withIt.stdout);
    const { OCIv1 } = JSON.parse(rig.run('inspect', '--type', 'image', 'localhost/app')) as {
      OCIv1: { architecture: string };
    };
    assert.equal(OCIv1.architecture, 'arm64');
  });
});
