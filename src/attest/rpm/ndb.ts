/** rpm's own database format, which SUSE uses: slots that point to blobs. All numbers are little-endian. @see rpm, lib/backend/ndb */
import { type ByteSource, readExactly } from '../byte-source.ts';

const HEADER_MAGIC = 0x506d7052; // RpmP
const SLOT_MAGIC = 0x746f6c53; // Slot
const BLOB_MAGIC = 0x53626c42; // BlbS
const SLOT = 16;
const PAGE = 4096;
const BLOCK = 16;
const MAX_SLOT_PAGES = 2048;

/** The header blobs of all packages. @throws Error when the file is no such database, or damaged */
export function* ndbBlobs(file: ByteSource): Generator<Buffer> {
  const header = readExactly(file, 0, 32);
  if (header.readUInt32LE(0) !== HEADER_MAGIC || header.readUInt32LE(4) !== 0)
    throw new Error('it is not an rpm database of the ndb format');
  const pages = header.readUInt32LE(12);
  if (pages > MAX_SLOT_PAGES) throw new Error(`its ${pages} slot pages are more than is read`);
  const slots = readExactly(file, 0, pages * PAGE);
  // The database's header takes the place of the first two slots.
  for (let at = 2 * SLOT; at < slots.length; at += SLOT) {
    if (slots.readUInt32LE(at) !== SLOT_MAGIC) throw new Error(`slot ${at / SLOT} is damaged`);
    const index = slots.readUInt32LE(at + 4);
    if (index !== 0) yield readBlob(file, index, slots.readUInt32LE(at + 8) * BLOCK);
  }
}

function readBlob(file: ByteSource, index: number, offset: number): Buffer {
  const header = readExactly(file, offset, 16);
  if (header.readUInt32LE(0) !== BLOB_MAGIC || header.readUInt32LE(4) !== index)
    throw new Error(`the blob of package ${index} is damaged`);
  return readExactly(file, offset + 16, header.readUInt32LE(12));
}
