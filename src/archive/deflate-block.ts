/**
 * One block of a larger stream as a raw deflate run of its own. How hard it is tried depends on the content alone, so the
 * output does, too: what is compressed already is stored, and what has no repeats is only coded.
 * @see RFC 1951
 */
import { constants, deflateRaw, type ZlibOptions } from 'node:zlib';

/** Taken from a block at as many places to see what trying to compress it comes to. */
const SAMPLE_BYTES = 8 * 1024;
const SAMPLES = 3;
/** Jars, images, archives and ciphertext come out above this, everything else far below. */
const HOPELESS = 0.97;

/** Looked at once more where the samples have no repeats: one piece over several windows of deflate's, and more places. */
const PIECE_BYTES = 96 * 1024;
const PLACES = 8;
const PLACE_BYTES = 12 * 1024;

/**
 * The block in compressed form, ended on a byte border by a run that is not the last.
 * @param level 0 … 9
 * @param dictionary what comes before the block
 */
export async function deflateBlock(block: Buffer, level: number, dictionary: Buffer | undefined): Promise<Buffer> {
  // A stored block needs little more room than its content.
  const ending: ZlibOptions = { finishFlush: constants.Z_SYNC_FLUSH, chunkSize: block.length + 1024 };
  const repeats = dictionary === undefined ? {} : { dictionary };
  switch (level === 0 ? 'match' : await waySuited(block, level)) {
    case 'store':
      return deflate(block, { level: 0, ...ending, ...repeats });
    case 'code':
      return deflate(block, { ...CODE_ONLY, ...ending });
    case 'match':
      return deflate(block, { level, ...ending, ...repeats });
  }
}

/** Symbols by frequency, no search for repeats. */
const CODE_ONLY: ZlibOptions = { strategy: constants.Z_HUFFMAN_ONLY };

/**
 * Compressed data is stored: deflate would spend its longest time on it and save nothing. The weights of a model, keys,
 * base64 and hexadecimal digits of anything random have no repeats but those of chance: to search for them takes three
 * quarters of the time, and to write them as repeats often more room than to code the bytes.
 */
async function waySuited(block: Buffer, level: number): Promise<'store' | 'code' | 'match'> {
  if (block.length <= 4 * SAMPLES * SAMPLE_BYTES) return 'match';
  const sample = piecesOf(block, SAMPLES, SAMPLE_BYTES);
  const matched = await deflate(sample, { level: 1 });
  if (matched.length > HOPELESS * sample.length) return 'store';
  if (matched.length < (await deflate(sample, CODE_ONLY)).length) return 'match';
  if (block.length < 4 * PIECE_BYTES) return 'match';
  const middle = Math.floor((block.length - PIECE_BYTES) / 2);
  for (const part of [block.subarray(middle, middle + PIECE_BYTES), piecesOf(block, PLACES, PLACE_BYTES)]) {
    const [coded, best] = await Promise.all([deflate(part, CODE_ONLY), deflate(part, { level })]);
    if (best.length < coded.length) return 'match';
  }
  return 'code';
}

/** Pieces from begin to end, at even distances. */
function piecesOf(block: Buffer, count: number, length: number): Buffer {
  const step = Math.floor((block.length - length) / (count - 1));
  return Buffer.concat(Array.from({ length: count }, (_, i) => block.subarray(i * step, i * step + length)));
}

function deflate(block: Buffer, options: ZlibOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    deflateRaw(block, options, (error, result) => (error === null ? resolve(result) : reject(error)));
  });
}
