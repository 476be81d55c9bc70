/**
 * A tar in its parts as they lie: headers and padding byte for byte, and the content of files. What headers say is read
 * as Go's archive/tar reads it, for tables of contents that other programs compare with the archive.
 */
import type { Bytes } from '../spec/target.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import { ByteReader } from './byte-blocks.ts';
import { type PaxRecords, PaxValues, readPaxRecords } from './pax-values.ts';
import { BLOCK_SIZE, decodeHeader, decodeNumber, isZeroBlock, TYPE_FLAG, tarInvalid, text } from './tar-header.ts';
import { DEFAULT_TAR_LIMITS } from './tar-limits.ts';

/** A member as Go's `tar.Header` has it: nothing is masked, a directory's name keeps its slash. */
export interface RawMember {
  readonly typeFlag: number;
  readonly name: Buffer;
  readonly linkName: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; 0 for everything but files. */
  readonly size: number;
  readonly mtime: Timestamp;
  readonly atime: Timestamp | undefined;
  readonly ctime: Timestamp | undefined;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** The archive says more than a member can: a global header, a sparse file, an unknown type. */
  readonly isPeculiar: boolean;
}

export type TarSegment =
  /** Headers with what stands before them: padding, extended headers. The last segment has no member. */
  | { readonly kind: 'raw'; readonly bytes: Buffer; readonly member: RawMember | undefined }
  /** Content of the member, in order. A chunk is valid until the next segment. */
  | { readonly kind: 'content'; readonly bytes: Uint8Array };

const CONTENT_BYTES = 256 * 1024;
const NOTHING: ReadonlyMap<string, Buffer> = new Map();
const FILES: ReadonlySet<number> = new Set([TYPE_FLAG.file, TYPE_FLAG.fileV7]);
const HEADER_ONLY: ReadonlySet<number> = new Set([
  TYPE_FLAG.hardlink,
  TYPE_FLAG.symlink,
  TYPE_FLAG.char,
  TYPE_FLAG.block,
  TYPE_FLAG.directory,
  TYPE_FLAG.fifo,
]);
const SLASH = 0x2f;

/** What stands before a member's own header. */
interface Extensions {
  readonly pax?: PaxRecords;
  readonly longName?: Buffer;
  readonly longLink?: Buffer;
  readonly isPeculiar?: boolean;
}

/** @throws BuilderError `tar.invalid` for a malformed or truncated archive */
export async function* tarSegments(bytes: Bytes): AsyncGenerator<TarSegment, void, undefined> {
  const reader = new ByteReader(bytes);
  let raw: Buffer[] = [];
  let extensions: Extensions = {};
  try {
    for (;;) {
      const block = await readBlocks(reader, BLOCK_SIZE);
      raw.push(block);
      if (block.length === 0 || isZeroBlock(block)) break;
      const { typeFlag, size } = decodeHeader(block);
      if (isExtension(typeFlag)) {
        if (size > DEFAULT_TAR_LIMITS.maxExtensionBytes) throw tarInvalid(`an extended header has ${size} bytes`);
        const content = await readBlocks(reader, padded(size));
        raw.push(content);
        extensions = extended(extensions, typeFlag, content.subarray(0, size));
        continue;
      }
      const member = memberOf(block, extensions);
      extensions = {};
      yield { kind: 'raw', bytes: Buffer.concat(raw), member };
      raw = [];
      yield* contentOf(reader, member.size);
      raw.push(await readBlocks(reader, padded(member.size) - member.size));
    }
    // The end marker, and whatever follows it.
    for (
      let rest = await reader.readSome(CONTENT_BYTES);
      rest.length > 0;
      rest = await reader.readSome(CONTENT_BYTES)
    ) {
      raw.push(Buffer.from(rest));
    }
    yield { kind: 'raw', bytes: Buffer.concat(raw), member: undefined };
  } finally {
    await reader.close();
  }
}

async function* contentOf(reader: ByteReader, size: number): AsyncGenerator<TarSegment, void, undefined> {
  for (let left = size; left > 0; ) {
    const bytes = await reader.readSome(Math.min(left, CONTENT_BYTES));
    if (bytes.length === 0) throw tarInvalid('it is truncated');
    left -= bytes.length;
    yield { kind: 'content', bytes };
  }
}

/** Exactly so many bytes, copied; nothing at the end of the archive. */
async function readBlocks(reader: ByteReader, length: number): Promise<Buffer> {
  const bytes = Buffer.from(await reader.read(length));
  if (bytes.length !== length && bytes.length !== 0) throw tarInvalid('it is truncated');
  return bytes;
}

const padded = (size: number): number => Math.ceil(size / BLOCK_SIZE) * BLOCK_SIZE;

function isExtension(typeFlag: number): boolean {
  const { pax, paxGlobal, gnuLongName, gnuLongLink } = TYPE_FLAG;
  return typeFlag === pax || typeFlag === paxGlobal || typeFlag === gnuLongName || typeFlag === gnuLongLink;
}

function extended(before: Extensions, typeFlag: number, content: Buffer): Extensions {
  if (typeFlag === TYPE_FLAG.pax) return { ...before, pax: readPaxRecords(content) };
  if (typeFlag === TYPE_FLAG.gnuLongName) return { ...before, longName: text(content, 0, content.length) };
  if (typeFlag === TYPE_FLAG.gnuLongLink) return { ...before, longLink: text(content, 0, content.length) };
  return { ...before, isPeculiar: true };
}

function memberOf(block: Buffer, { pax, longName, longLink, isPeculiar }: Extensions): RawMember {
  const header = decodeHeader(block);
  const values = new PaxValues(pax, NOTHING);
  const { format } = header;
  const name = longName ?? values.bytes('path') ?? header.name;
  const isOldDirectory = header.typeFlag === TYPE_FLAG.fileV7 && name.at(-1) === SLASH;
  const typeFlag = isOldDirectory
    ? TYPE_FLAG.directory
    : header.typeFlag === TYPE_FLAG.fileV7
      ? TYPE_FLAG.file
      : header.typeFlag;
  const isFile = FILES.has(typeFlag);
  const field = (offset: number, length: number): number => decodeNumber(block, offset, length) ?? 0;
  const gnuTime = (offset: number): Timestamp | undefined =>
    format === 'gnu' && block[offset] !== 0 ? { seconds: field(offset, 12), nanoseconds: 0 } : undefined;
  const isSparse = [...(pax?.values.keys() ?? [])].some((key) => key.startsWith('GNU.sparse.'));
  return {
    typeFlag,
    name,
    linkName: longLink ?? values.bytes('linkpath') ?? header.linkName,
    mode: field(100, 8),
    uid: values.count('uid') ?? header.uid,
    gid: values.count('gid') ?? header.gid,
    size: HEADER_ONLY.has(typeFlag) ? 0 : (values.count('size') ?? header.size),
    mtime: values.time('mtime') ?? { seconds: header.mtime, nanoseconds: 0 },
    atime: values.time('atime') ?? gnuTime(345),
    ctime: values.time('ctime') ?? gnuTime(357),
    devMajor: format === 'v7' ? 0 : field(329, 8),
    devMinor: format === 'v7' ? 0 : field(337, 8),
    xattrs: values.xattrs(),
    isPeculiar: isPeculiar === true || isSparse || !(isFile || HEADER_ONLY.has(typeFlag)),
  };
}
