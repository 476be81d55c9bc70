/**
 * zstd:chunked: a zstd stream in which the content of every file is a frame of its own, with a table of contents and
 * what is needed to rebuild the tar from files ("tar-split") in frames that decoders skip. Podman and CRI-O fetch single
 * files of such a layer.
 *
 * @see containers/storage, pkg/chunked; vbatts/tar-split, tar/storage
 */
import { createHash } from 'node:crypto';
import { BuilderError } from '../report/builder-error.ts';
import { digestOf } from '../spec/digest.ts';
import type { Bytes } from '../spec/target.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import { Crc64 } from './crc64.ts';
import { TYPE_FLAG } from './tar-header.ts';
import { type RawMember, type TarSegment, tarSegments } from './tar-segments.ts';
import { type ZstdOptions, zstd } from './zstd.ts';

const PREFIX = 'io.github.containers.zstd-chunked';
/** Annotation of a layer's descriptor that tells that it is one of these. */
export const ZSTD_CHUNKED_CHECKSUM: string = `${PREFIX}.manifest-checksum`;
const SKIPPABLE_MAGIC = 0x184d2a50;
const FOOTER_MAGIC = 'GNUlInUx';
/** The type of the table of contents, the only one there is. */
const TOC_TYPE = 1;
const SKIPPABLE_HEADER_BYTES = 8;

const TYPES: ReadonlyMap<number, string> = new Map([
  [TYPE_FLAG.file, 'reg'],
  [TYPE_FLAG.hardlink, 'hardlink'],
  [TYPE_FLAG.symlink, 'symlink'],
  [TYPE_FLAG.char, 'char'],
  [TYPE_FLAG.block, 'block'],
  [TYPE_FLAG.directory, 'dir'],
  [TYPE_FLAG.fifo, 'fifo'],
]);

/**
 * The tar in that form.
 * @param annotate given the annotations the layer's descriptor needs, when the content has ended
 * @throws BuilderError `tar.invalid`; `usage.unsupported` for what a table of contents cannot say: names that are not
 *   UTF-8, sparse files, global headers
 */
export function zstdChunked(
  tar: Bytes,
  options: ZstdOptions,
  annotate: (annotations: Readonly<Record<string, string>>) => void,
): Bytes {
  return new ChunkedWriter(tar, options).write(annotate);
}

class ChunkedWriter {
  readonly #segments: AsyncGenerator<TarSegment, void, undefined>;
  readonly #options: ZstdOptions;
  readonly #entries: object[] = [];
  /** Lines of tar-split: what lies between contents, and the checks of these. */
  readonly #split: string[] = [];
  #written = 0;

  constructor(tar: Bytes, options: ZstdOptions) {
    this.#segments = tarSegments(tar);
    this.#options = options;
  }

  async *write(annotate: (annotations: Readonly<Record<string, string>>) => void): Bytes {
    try {
      for (let next = await this.#segments.next(); next.done !== true; next = await this.#segments.next()) {
        if (next.value.kind === 'content') throw new Error('content without a member');
        const { bytes, member } = next.value;
        if (bytes.length > 0) {
          this.#note({ type: 2, payload: bytes.toString('base64') });
          yield* this.#frames(once(bytes));
        }
        if (member !== undefined) yield* this.#member(member);
      }
      yield* this.#finish(annotate);
    } finally {
      await this.#segments.return();
    }
  }

  /** Compressed into frames of their own. */
  async *#frames(bytes: Bytes): Bytes {
    for await (const chunk of zstd(bytes, this.#options)) {
      this.#written += chunk.length;
      yield chunk;
    }
  }

  async *#member(member: RawMember): Bytes {
    const entry = entryOf(member);
    if (member.size === 0) {
      this.#entries.push(entry);
      this.#note({ type: 1, name: member.name.toString('utf8'), payload: null });
      return;
    }
    const offset = this.#written;
    const digest = createHash('sha256');
    const check = new Crc64('iso');
    yield* this.#frames(
      this.#content(member.size, (chunk) => {
        digest.update(chunk);
        check.update(chunk);
      }),
    );
    this.#entries.push({ ...entry, digest: `sha256:${digest.digest('hex')}`, offset, endOffset: this.#written });
    const payload = check.sum().toString('base64');
    this.#note({ type: 1, name: member.name.toString('utf8'), size: member.size, payload });
  }

  async *#content(size: number, look: (chunk: Uint8Array) => void): Bytes {
    for (let left = size; left > 0; ) {
      const next = await this.#segments.next();
      if (next.done === true || next.value.kind === 'raw') throw new Error('a member without its content');
      const { bytes } = next.value;
      look(bytes);
      left -= bytes.length;
      yield bytes;
    }
  }

  #note(line: object): void {
    this.#split.push(`${JSON.stringify({ ...line, position: this.#split.length })}\n`);
  }

  async *#finish(annotate: (annotations: Readonly<Record<string, string>>) => void): Bytes {
    const splitText = Buffer.from(this.#split.join(''));
    const split = await collected(zstd(once(splitText), this.#options));
    const tocText = Buffer.from(
      JSON.stringify({ version: 1, entries: this.#entries, tarSplitDigest: digestOf(split) }),
    );
    const toc = await collected(zstd(once(tocText), this.#options));
    const tocAt = this.#written + SKIPPABLE_HEADER_BYTES;
    const splitAt = tocAt + toc.length + SKIPPABLE_HEADER_BYTES;
    yield skippable(toc);
    yield skippable(split);
    yield skippable(footer([tocAt, toc.length, tocText.length, TOC_TYPE, splitAt, split.length, splitText.length]));
    annotate({
      [ZSTD_CHUNKED_CHECKSUM]: digestOf(toc),
      [`${PREFIX}.manifest-position`]: `${tocAt}:${toc.length}:${tocText.length}:${TOC_TYPE}`,
      [`${PREFIX}.tarsplit-position`]: `${splitAt}:${split.length}:${splitText.length}`,
    });
  }
}

/** A member in the table of contents; what is nothing there is left out, as Go's encoder does. */
function entryOf(member: RawMember): object {
  const { name, linkName, atime, ctime, xattrs } = member;
  const type = TYPES.get(member.typeFlag);
  if (type === undefined || member.isPeculiar) throw unsupported(name, 'it is sparse, or of a kind of its own');
  const texts = [...xattrs].map(([key, value]) => [key, value.toString('base64')] as const);
  const fields = {
    type,
    name: utf8(name, name),
    linkName: utf8(linkName, name),
    mode: member.mode,
    size: member.size,
    uid: member.uid,
    gid: member.gid,
    modtime: timeText(member.mtime),
    accesstime: atime === undefined ? undefined : timeText(atime),
    changetime: ctime === undefined ? undefined : timeText(ctime),
    devMajor: member.devMajor,
    devMinor: member.devMinor,
    xattrs: texts.length === 0 ? undefined : Object.fromEntries(texts),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== 0 && value !== ''));
}

function utf8(bytes: Buffer, name: Buffer): string {
  const text = bytes.toString('utf8');
  if (Buffer.from(text).equals(bytes)) return text;
  throw unsupported(name, 'its name is not UTF-8');
}

function unsupported(name: Buffer, why: string): BuilderError {
  return new BuilderError(
    'usage.unsupported',
    `cannot write ${JSON.stringify(name.toString('utf8'))} as zstd:chunked: ${why}`,
    {
      hint: 'use zstd, which takes every layer',
    },
  );
}

/** RFC 3339 with as many digits of a second as it takes. */
function timeText({ seconds, nanoseconds }: Timestamp): string {
  const fraction = String(nanoseconds).padStart(9, '0').replace(/0+$/, '');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction === '' ? '' : `.${fraction}`}Z`;
}

function skippable(content: Uint8Array): Buffer {
  const header = Buffer.alloc(SKIPPABLE_HEADER_BYTES);
  header.writeUInt32LE(SKIPPABLE_MAGIC, 0);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}

/** Seven numbers of eight bytes, little-endian, and the magic. */
function footer(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 * numbers.length);
  for (const [i, value] of numbers.entries()) bytes.writeBigUInt64LE(BigInt(value), 8 * i);
  return Buffer.concat([bytes, Buffer.from(FOOTER_MAGIC, 'latin1')]);
}

async function collected(bytes: Bytes): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function* once(bytes: Uint8Array): Bytes {
  yield bytes;
}
