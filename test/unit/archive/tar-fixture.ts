/** Archives made by hand, byte by byte, so that the parser is not tested against the writer's own ideas. */
import type { TarEntry } from '../../../src/archive/tar-entry.ts';
import type { TarLimits } from '../../../src/archive/tar-limits.ts';
import { TarParser } from '../../../src/archive/tar-parser.ts';
import { BuilderError } from '../../../src/report/builder-error.ts';
import type { Bytes } from '../../../src/spec/target.ts';

export interface RawHeader {
  readonly name?: string | Buffer;
  readonly prefix?: string | Buffer;
  readonly type?: string;
  readonly mode?: string;
  readonly uid?: string | Buffer;
  readonly gid?: string | Buffer;
  readonly size?: number | string | Buffer;
  readonly mtime?: string | Buffer;
  readonly linkName?: string | Buffer;
  readonly devMajor?: string;
  readonly devMinor?: string;
  readonly magic?: string;
  /** Last changes before the checksum. */
  readonly patch?: (block: Buffer) => void;
  readonly signedChecksum?: boolean;
}

const field = (value: string | Buffer) => (typeof value === 'string' ? Buffer.from(value, 'latin1') : value);

export function header(raw: RawHeader = {}): Buffer {
  const block = Buffer.alloc(512);
  const put = (at: number, value: string | Buffer) => field(value).copy(block, at);
  put(0, raw.name ?? 'f');
  put(100, raw.mode ?? '0000644\0');
  put(108, raw.uid ?? '0000000\0');
  put(116, raw.gid ?? '0000000\0');
  const size = raw.size ?? 0;
  put(124, typeof size === 'number' ? `${size.toString(8).padStart(11, '0')}\0` : size);
  put(136, raw.mtime ?? '00000000000\0');
  put(156, raw.type ?? '0');
  put(157, raw.linkName ?? '');
  put(257, raw.magic ?? 'ustar\x0000');
  put(329, raw.devMajor ?? '');
  put(337, raw.devMinor ?? '');
  put(345, raw.prefix ?? '');
  raw.patch?.(block);
  put(148, '        ');
  let sum = 0;
  for (const byte of block) sum += raw.signedChecksum === true && byte > 127 ? byte - 256 : byte;
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

/** Header and padded content. */
export function member(raw: RawHeader, content: string | Buffer = ''): Buffer {
  const bytes = field(content);
  return Buffer.concat([
    header({ size: bytes.length, ...raw }),
    bytes,
    Buffer.alloc((512 - (bytes.length % 512)) % 512),
  ]);
}

export function record(key: string, value: string | Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), field(value), Buffer.from('\n')]);
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

export type Records = readonly (readonly [string, string | Buffer])[];

export function pax(records: Records, type: 'x' | 'g' = 'x', raw: RawHeader = {}): Buffer {
  return member({ name: 'pax', type, ...raw }, Buffer.concat(records.map(([key, value]) => record(key, value))));
}

export const END = Buffer.alloc(1024);

export interface Read extends TarEntry {
  readonly content: Buffer;
}

/** Parses in chunks of `chunkSize` (default: all at once); entries with their content. */
export function parse(archive: Buffer, limits: Partial<TarLimits> = {}, chunkSize = archive.length || 1): Read[] {
  const read: { entry: TarEntry; content: Buffer[] }[] = [];
  const parser = new TarParser(
    {
      entry: (entry) => void read.push({ entry, content: [] }),
      data: (chunk) => void read.at(-1)!.content.push(Buffer.from(chunk)),
    },
    limits,
  );
  for (let at = 0; at < archive.length; at += chunkSize) parser.push(archive.subarray(at, at + chunkSize));
  parser.finish();
  return read.map(({ entry, content }) => ({ ...entry, content: Buffer.concat(content) }));
}

export const names = (archive: Buffer) => parse(archive).map(({ name }) => name.toString('latin1'));

/** Matches a BuilderError of this code whose message fits. */
export function coded(code: string, message: RegExp = /./) {
  return (error: unknown) => {
    if (!(error instanceof BuilderError)) throw error;
    if (error.code !== code || !message.test(error.message)) throw error;
    return true;
  };
}

export function entry(of: Partial<TarEntry> = {}): TarEntry {
  return {
    name: Buffer.from('f'),
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    linkName: Buffer.alloc(0),
    devMajor: 0,
    devMinor: 0,
    xattrs: new Map(),
    ...of,
  };
}

/** The bytes in chunks, each overwritten once the next is asked for: what `Bytes` allows a source to do. */
export async function* chunksOf(bytes: Uint8Array, size = 65536): Bytes {
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = Uint8Array.from(bytes.subarray(at, at + size));
    yield chunk;
    chunk.fill(0xee);
  }
}

export async function collect(bytes: Bytes): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of bytes) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}

/** Reproducible numbers below `limit` (mulberry32). */
export function random(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit) | 0;
  };
}
