/** Sections of an ELF file by name, as much as finding embedded module lists needs. @see elf(5) */
import { type ByteSource, readExactly } from './byte-source.ts';

export interface ElfSection {
  readonly name: string;
  /** in memory */
  readonly address: number;
  /** in the file; bytes */
  readonly offset: number;
  readonly size: number;
}

export interface ElfFile {
  readonly isLittleEndian: boolean;
  /** Bytes of a pointer: 4 or 8. */
  readonly pointerSize: 4 | 8;
  readonly sections: readonly ElfSection[];
}

const MAX_SECTIONS = 4096;
const MAX_NAMES = 1024 * 1024;
/** Sections that take no place in the file. */
const NOBITS = 8;

/** Undefined for a file that is no ELF, or has no section table. @throws RangeError when the file is cut off */
export function readElf(file: ByteSource): ElfFile | undefined {
  if (file.size < 64) return undefined;
  const head = file.read(0, 64);
  if (head.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const is64 = head[4] === 2;
  const little = head[5] === 1;
  const u16 = (b: Buffer, at: number): number => (little ? b.readUInt16LE(at) : b.readUInt16BE(at));
  const u32 = (b: Buffer, at: number): number => (little ? b.readUInt32LE(at) : b.readUInt32BE(at));
  const word = (b: Buffer, at: number): number =>
    is64 ? Number(little ? b.readBigUInt64LE(at) : b.readBigUInt64BE(at)) : u32(b, at);
  const tableAt = word(head, is64 ? 40 : 32);
  const entrySize = u16(head, is64 ? 58 : 46);
  const count = u16(head, is64 ? 60 : 48);
  const namesIndex = u16(head, is64 ? 62 : 50);
  if (tableAt === 0 || count === 0 || count > MAX_SECTIONS || entrySize < (is64 ? 64 : 40)) return undefined;
  const table = readExactly(file, tableAt, count * entrySize);
  const raw = Array.from({ length: count }, (_, i) => {
    const at = i * entrySize;
    return {
      name: u32(table, at),
      type: u32(table, at + 4),
      address: word(table, at + (is64 ? 16 : 12)),
      offset: word(table, at + (is64 ? 24 : 16)),
      size: word(table, at + (is64 ? 32 : 20)),
    };
  });
  const strings = raw[namesIndex];
  if (strings === undefined || strings.size > MAX_NAMES) return undefined;
  const names = readExactly(file, strings.offset, strings.size);
  return {
    isLittleEndian: little,
    pointerSize: is64 ? 8 : 4,
    sections: raw.flatMap(({ name, type, address, offset, size }) => {
      const end = names.indexOf(0, name);
      return type === NOBITS || end === -1
        ? []
        : [{ name: names.toString('latin1', name, end), address, offset, size }];
    }),
  };
}
