/**
 * Whether this kernel can run programs of another architecture: interpreters registered with binfmt_misc, such as
 * qemu-user. @see Documentation/admin-guide/binfmt-misc.rst; elf(5) for e_machine
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const REGISTRY = '/proc/sys/fs/binfmt_misc';

/** e_machine by Go's name of the architecture, and whether its ELF files are big-endian. */
const MACHINES: Readonly<Record<string, { readonly machine: number; readonly isBigEndian?: boolean }>> = {
  '386': { machine: 3 },
  amd64: { machine: 62 },
  arm: { machine: 40 },
  arm64: { machine: 183 },
  ppc64le: { machine: 21 },
  riscv64: { machine: 243 },
  s390x: { machine: 22, isBigEndian: true },
  mips64le: { machine: 8 },
  loong64: { machine: 258 },
};

/** Architectures the kernel of a machine runs without help. */
const NATIVE: Readonly<Record<string, readonly string[]>> = { amd64: ['386'], arm64: ['arm'] };

/** `unknown`: binfmt_misc cannot be looked at from here, so only trying will tell. */
export type Emulation = 'native' | 'emulated' | 'missing' | 'unknown';

/** @param host, wanted Go's names of architectures */
export function emulationOf(host: string, wanted: string, registry: string = REGISTRY): Emulation {
  if (host === wanted || NATIVE[host]?.includes(wanted) === true) return 'native';
  const target = MACHINES[wanted];
  if (target === undefined) return 'unknown';
  let entries: string[];
  try {
    if (readFileSync(join(registry, 'status'), 'utf8').trim() !== 'enabled') return 'missing';
    entries = readdirSync(registry).filter((name) => name !== 'register' && name !== 'status');
  } catch {
    return 'unknown';
  }
  const serves = entries.some((name) => servesMachine(readEntry(join(registry, name)), target));
  return serves ? 'emulated' : 'missing';
}

function readEntry(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Bytes 18 and 19 of an ELF file name its machine. */
function servesMachine(entry: string, target: { readonly machine: number; readonly isBigEndian?: boolean }): boolean {
  const lines = entry.split('\n');
  if (lines[0] !== 'enabled') return false;
  const magic = lines.find((line) => line.startsWith('magic '))?.slice('magic '.length);
  const offset = lines.find((line) => line.startsWith('offset '))?.slice('offset '.length) ?? '0';
  if (magic === undefined || offset !== '0') return false;
  const bytes = Buffer.from(magic, 'hex');
  if (bytes.length < 20 || bytes.readUInt32BE(0) !== 0x7f454c46) return false;
  return (target.isBigEndian === true ? bytes.readUInt16BE(18) : bytes.readUInt16LE(18)) === target.machine;
}
