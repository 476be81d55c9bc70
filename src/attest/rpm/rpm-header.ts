/**
 * The header of an installed rpm package as the database holds it: counts, an index of tags, the values. Big-endian;
 * the magic number of a package file is not there.
 *
 * @see rpm, "Package Format", header structure; rpmtag.h
 */

export interface RpmHeader {
  readonly name: string;
  readonly epoch: number | undefined;
  readonly version: string;
  readonly release: string;
  readonly arch: string | undefined;
  readonly license: string | undefined;
  readonly vendor: string | undefined;
  readonly url: string | undefined;
  /** File name of the source package, `bash-5.2-1.fc40.src.rpm`. */
  readonly sourceRpm: string | undefined;
  /** `name:stream:version:context:arch` of the module a package belongs to. */
  readonly modularityLabel: string | undefined;
}

const TAG = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  vendor: 1011,
  license: 1014,
  url: 1020,
  arch: 1022,
  sourceRpm: 1044,
  modularityLabel: 5096,
} as const;
const INT32 = 4;
const STRING_TYPES = new Set([6, 8, 9]);
const ENTRY = 16;
/** rpm's own limit of entries in a header. */
const MAX_ENTRIES = 65535;

/** @throws Error when the header is damaged or has no name */
export function parseRpmHeader(blob: Buffer): RpmHeader {
  const entries = blob.readUInt32BE(0);
  const dataLength = blob.readUInt32BE(4);
  const dataStart = 8 + entries * ENTRY;
  if (entries > MAX_ENTRIES || dataStart + dataLength > blob.length) throw new Error('an rpm header is cut off');
  const data = blob.subarray(dataStart, dataStart + dataLength);
  const values = new Map<number, string | number>();
  for (let at = 8; at < dataStart; at += ENTRY) {
    const value = readValue(data, blob.readUInt32BE(at + 4), blob.readUInt32BE(at + 8));
    if (value !== undefined) values.set(blob.readUInt32BE(at), value);
  }
  const text = (tag: number): string | undefined => {
    const value = values.get(tag);
    return typeof value === 'string' && value !== '' && value !== '(none)' ? value : undefined;
  };
  const name = text(TAG.name);
  const version = text(TAG.version);
  if (name === undefined || version === undefined) throw new Error('an rpm header has no name or version');
  const epoch = values.get(TAG.epoch);
  return {
    name,
    version,
    epoch: typeof epoch === 'number' ? epoch : undefined,
    release: text(TAG.release) ?? '',
    arch: text(TAG.arch),
    license: text(TAG.license),
    vendor: text(TAG.vendor),
    url: text(TAG.url),
    sourceRpm: text(TAG.sourceRpm),
    modularityLabel: text(TAG.modularityLabel),
  };
}

/** The first value of an entry, if it is of a kind that is wanted. */
function readValue(data: Buffer, type: number, offset: number): string | number | undefined {
  if (type === INT32) return offset + 4 <= data.length ? data.readUInt32BE(offset) : undefined;
  if (!STRING_TYPES.has(type)) return undefined;
  const end = data.indexOf(0, offset);
  return end === -1 ? undefined : data.toString('utf8', offset, end);
}
