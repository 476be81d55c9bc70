/** Builds layer tars for tests, and lists them. */
import type { TarEntry } from '../../src/archive/tar-entry.ts';
import { TarParser } from '../../src/archive/tar-parser.ts';
import { END_OF_ARCHIVE, encodeEntry, padding } from '../../src/archive/tar-writer.ts';
import type { Bytes } from '../../src/spec/target.ts';

export type Member = Partial<Omit<TarEntry, 'name' | 'linkName' | 'xattrs'>> & {
  readonly name: string | Buffer;
  readonly linkName?: string | Buffer;
  readonly content?: string | Buffer;
  readonly xattrs?: Readonly<Record<string, string | Buffer>>;
};

const bytes = (value: string | Buffer): Buffer => (typeof value === 'string' ? Buffer.from(value) : value);
export const TIME = { seconds: 1_600_000_000, nanoseconds: 123_456_789 };

/** A file of that content. */
export const file = (name: string | Buffer, content: string | Buffer = '', more: Partial<Member> = {}): Member => ({
  ...more,
  name,
  content,
});
export const dir = (name: string, more: Partial<Member> = {}): Member => ({
  mode: 0o755,
  ...more,
  name,
  type: 'directory',
});
export const symlink = (name: string, linkName: string, more: Partial<Member> = {}): Member => ({
  mode: 0o777,
  ...more,
  name,
  linkName,
  type: 'symlink',
});
export const hardlink = (name: string, linkName: string): Member => ({ name, linkName, type: 'hardlink' });

/** The archive of these members, in this order. */
export function tarOf(...members: readonly Member[]): Buffer {
  const parts: Buffer[] = [];
  for (const member of members) {
    const content = bytes(member.content ?? '');
    const { name, linkName, xattrs, content: _, ...rest } = member;
    const attributes = Object.entries(xattrs ?? {}).map(([key, value]) => [key, bytes(value)] as const);
    const entry: TarEntry = {
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: TIME,
      devMajor: 0,
      devMinor: 0,
      ...rest,
      size: content.length,
      name: bytes(name),
      linkName: bytes(linkName ?? ''),
      xattrs: new Map(attributes),
    };
    parts.push(encodeEntry(entry), content, padding(content.length));
  }
  return Buffer.concat([...parts, END_OF_ARCHIVE]);
}

export async function* streamOf(archive: Buffer, chunkSize = 65536): Bytes {
  for (let at = 0; at < archive.length; at += chunkSize) yield archive.subarray(at, at + chunkSize);
}

export async function collect(tar: Bytes): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** `type name` of each member, links with ` -> target`. */
export function listTar(archive: Buffer): string[] {
  const lines: string[] = [];
  const parser = new TarParser({
    entry: ({ name, type, linkName }) =>
      lines.push(
        `${type} ${name.toString('latin1')}${type === 'directory' ? '/' : ''}${linkName.length > 0 ? ` -> ${linkName.toString()}` : ''}`,
      ),
    data: () => {},
  });
  parser.push(archive);
  parser.finish();
  return lines;
}
