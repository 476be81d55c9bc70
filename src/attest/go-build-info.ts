/** The list of modules that Go writes into every executable. @see Go, debug/buildinfo and runtime/debug.BuildInfo */
import { type ByteSource, readExactly } from './byte-source.ts';
import type { FoundPackage } from './cataloger.ts';
import type { ElfFile, ElfSection } from './elf.ts';
import { goPackage } from './go-module.ts';

const MAGIC = Buffer.from('\xff Go buildinf:', 'latin1');
const SECTION = '.go.buildinfo';
const ALIGNMENT = 16;
/** Bytes; thousands of modules have a tenth of that. */
const MAX_TEXT = 4 * 1024 * 1024;
/** Flags at byte 15: big-endian pointers; strings inline (Go 1.18 and later). */
const BIG_ENDIAN = 1;
const INLINE = 2;

/** Modules and the standard library of a Go executable; none for any other. @throws RangeError when it is cut off */
export function goModules(file: ByteSource, elf: ElfFile): FoundPackage[] {
  const section = elf.sections.find(({ name }) => name === SECTION);
  if (section === undefined) return [];
  const bytes = readExactly(file, section.offset, Math.min(section.size, MAX_TEXT));
  let at = bytes.indexOf(MAGIC);
  while (at !== -1 && at % ALIGNMENT !== 0) at = bytes.indexOf(MAGIC, at + 1);
  if (at === -1 || at + 32 > bytes.length) return [];
  const flags = bytes[at + 15]!;
  const [version, modules] =
    (flags & INLINE) === 0
      ? pointedStrings(file, elf, bytes.subarray(at), (flags & BIG_ENDIAN) === 0)
      : inlineStrings(bytes, at + 32);
  return [...standardLibrary(version), ...parseModules(modules)];
}

type Strings = readonly [version: string, modules: Buffer];

function inlineStrings(bytes: Buffer, start: number): Strings {
  const first = lengthAt(bytes, start);
  const second = lengthAt(bytes, first.end + first.length);
  return [
    bytes.toString('utf8', first.end, first.end + first.length),
    bytes.subarray(second.end, second.end + second.length),
  ];
}

/** An unsigned LEB128 number. */
function lengthAt(bytes: Buffer, start: number): { readonly length: number; readonly end: number } {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes.readUInt8(start + i);
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { length, end: start + i + 1 };
  }
  throw new RangeError('a length in the build information does not end');
}

/** Before Go 1.18: two pointers to string headers, each a pointer and a length, in memory addresses. */
function pointedStrings(file: ByteSource, elf: ElfFile, info: Buffer, isLittle: boolean): Strings {
  const size = info[14] === 4 ? 4 : 8;
  const pointer = (bytes: Buffer, at: number): number =>
    size === 4
      ? isLittle
        ? bytes.readUInt32LE(at)
        : bytes.readUInt32BE(at)
      : Number(isLittle ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  const text = (at: number): Buffer => {
    const header = atAddress(file, elf, pointer(info, at), 2 * size);
    if (header === undefined) return Buffer.alloc(0);
    const length = Math.min(pointer(header, size), MAX_TEXT);
    return atAddress(file, elf, pointer(header, 0), length) ?? Buffer.alloc(0);
  };
  return [text(16).toString('utf8'), text(16 + size)];
}

function atAddress(file: ByteSource, elf: ElfFile, address: number, length: number): Buffer | undefined {
  const holds = ({ address: start, size }: ElfSection): boolean =>
    start !== 0 && address >= start && address + length <= start + size;
  const section = elf.sections.find(holds);
  return section === undefined ? undefined : readExactly(file, section.offset + (address - section.address), length);
}

/** `go1.22.1` or `go1.22.1 X:experiment`. */
function standardLibrary(version: string): FoundPackage[] {
  const release = /^go(\d[\w.]*)/.exec(version)?.[1];
  return release === undefined ? [] : [goPackage('stdlib', release)];
}

/** Lines of `dep<TAB>path<TAB>version<TAB>sum`; `=>` replaces the line above it. A mark of 16 bytes stands at each end. */
function parseModules(framed: Buffer): FoundPackage[] {
  const isFramed = framed.length >= 33 && framed[framed.length - 17] === 0x0a;
  const text = (isFramed ? framed.subarray(16, framed.length - 16) : framed).toString('utf8');
  const modules: { path: string; version: string }[] = [];
  for (const line of text.split('\n')) {
    const [verb, path, version] = line.split('\t');
    if (path === undefined || version === undefined) continue;
    if (verb === '=>') modules.pop();
    if (verb === 'dep' || verb === 'mod' || verb === '=>') modules.push({ path, version });
  }
  return modules.map(({ path, version }) => goPackage(path, version));
}
