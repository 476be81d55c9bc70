/**
 * The LZMA2 decoder behind xz: a row of chunks, each stored or coded with LZMA's range coder, over one window.
 * @see The .xz file format 1.2.1, section 5.3.1; the LZMA specification of the LZMA SDK
 */
import type { ByteReader } from './byte-blocks.ts';

/** A damaged or unsupported stream, as a reason; xz.ts adds what was attempted. */
export class Lzma2Error extends Error {}

/** Largest window accepted: `xz -9` asks for 64 MiB. */
export const MAX_LZMA2_WINDOW_BYTES = 128 * 1024 * 1024;
/** Most a chunk can expand to. */
const MAX_CHUNK_OUTPUT = 2 * 1024 * 1024;

/**
 * Decodes one LZMA2 stream up to its end marker.
 * A yielded chunk is a view of the window: it changes when the next one is asked for.
 * @throws Lzma2Error
 */
export async function* decodeLzma2(
  reader: ByteReader,
  windowBytes: number,
  onInput: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (windowBytes > MAX_LZMA2_WINDOW_BYTES) {
    throw new Lzma2Error(`it needs a window of ${windowBytes} bytes, more than ${MAX_LZMA2_WINDOW_BYTES}`);
  }
  const take = async (length: number): Promise<Uint8Array> => {
    const bytes = await reader.read(length);
    if (bytes.length < length) throw new Lzma2Error('it is truncated');
    onInput(length);
    return bytes;
  };
  const window = new Window(windowBytes);
  const decoder = new LzmaDecoder(window);
  for (let isFirst = true; ; isFirst = false) {
    const control = (await take(1))[0]!;
    if (control === 0) return;
    if (control > 2 && control < 0x80) throw new Lzma2Error('a chunk has a malformed header');
    const resetsWindow = control === 1 || control >= 0xe0;
    if (isFirst && !resetsWindow) throw new Lzma2Error('its first chunk does not start afresh');
    if (resetsWindow) window.reset();
    const start = window.makeRoom(MAX_CHUNK_OUTPUT);
    if (control < 0x80) {
      const size = uint16(await take(2)) + 1;
      window.store(await take(size));
    } else await decodeChunk(control, take, decoder);
    yield window.since(start);
  }
}

async function decodeChunk(
  control: number,
  take: (length: number) => Promise<Uint8Array>,
  decoder: LzmaDecoder,
): Promise<void> {
  const sizes = await take(4);
  const outputSize = ((control & 0x1f) << 16) + uint16(sizes) + 1;
  const inputSize = uint16(sizes.subarray(2)) + 1;
  if (control >= 0xc0) decoder.setProperties((await take(1))[0]!);
  else if (control >= 0xa0) decoder.resetState();
  decoder.decode(await take(inputSize), outputSize);
}

function uint16(bytes: Uint8Array): number {
  return (bytes[0]! << 8) | bytes[1]!;
}

/** The output with as much of its past as matches may reach. */
class Window {
  readonly #size: number;
  readonly buffer: Uint8Array;
  /** Where the next byte goes. */
  position = 0;
  /** Bytes since the last reset. */
  total = 0;

  constructor(size: number) {
    this.#size = size;
    // Room beyond the window, so that the past is moved to the front only once in a while.
    this.buffer = Buffer.allocUnsafeSlow(size + Math.max(size >> 1, 2 * MAX_CHUNK_OUTPUT));
  }

  /** Bytes a match may reach back. */
  get reach(): number {
    return Math.min(this.total, this.#size);
  }

  reset(): void {
    this.total = 0;
  }

  /** Makes sure `room` bytes can be written; gives the position of the first. */
  makeRoom(room: number): number {
    if (this.position + room > this.buffer.length) {
      this.buffer.copyWithin(0, this.position - this.reach, this.position);
      this.position = this.reach;
    }
    return this.position;
  }

  store(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.position);
    this.position += bytes.length;
    this.total += bytes.length;
  }

  since(start: number): Uint8Array {
    return this.buffer.subarray(start, this.position);
  }
}

const STATES = 12;
const FIRST_NON_LITERAL_STATE = 7;
const MIN_MATCH = 2;
/** Places of the probabilities in one array. */
const IS_MATCH = 0;
const IS_REP = IS_MATCH + STATES * 16;
const IS_REP_0 = IS_REP + STATES;
const IS_REP_1 = IS_REP_0 + STATES;
const IS_REP_2 = IS_REP_1 + STATES;
const IS_LONG_REP_0 = IS_REP_2 + STATES;
const SLOTS = IS_LONG_REP_0 + STATES * 16;
const SPECIAL = SLOTS + 4 * 64;
const ALIGN = SPECIAL + 128;
const MATCH_LENGTH = ALIGN + 16;
/** Of a length coder: two choices, 16 × 8 low, 16 × 8 middle, 256 high. */
const LENGTH_PROBABILITIES = 2 + 128 + 128 + 256;
const REP_LENGTH = MATCH_LENGTH + LENGTH_PROBABILITIES;
const LITERAL = REP_LENGTH + LENGTH_PROBABILITIES;
const LITERAL_SIZE = 0x300;

const RANGE = 0;
const CODE = 1;
/** Below this the coder takes in another byte. */
const NORMAL_RANGE = 0x1000000;

class LzmaDecoder {
  readonly #window: Window;
  /** Of being 0, times 2¹¹. */
  readonly #probabilities = new Uint16Array(LITERAL + (LITERAL_SIZE << 4));
  #literalContextBits = 0;
  #literalPositionMask = 0;
  #positionMask = 0;
  #hasProperties = false;
  #needsReset = true;

  #state = 0;
  #rep0 = 0;
  #rep1 = 0;
  #rep2 = 0;
  #rep3 = 0;

  #input: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Range and code. In a typed array, because as plain numbers beyond 2³¹ they would make every step a float one. */
  readonly #coder = new Uint32Array(2);

  constructor(window: Window) {
    this.#window = window;
  }

  setProperties(byte: number): void {
    if (byte > 224) throw new Lzma2Error('a chunk has malformed properties');
    const literalContext = byte % 9;
    const literalPosition = Math.floor(byte / 9) % 5;
    if (literalContext + literalPosition > 4) throw new Lzma2Error('a chunk has malformed properties');
    this.#literalContextBits = literalContext;
    this.#literalPositionMask = (1 << literalPosition) - 1;
    this.#positionMask = (1 << Math.floor(byte / 45)) - 1;
    this.#hasProperties = true;
    this.resetState();
  }

  resetState(): void {
    this.#probabilities.fill(1024);
    this.#state = 0;
    this.#rep0 = 0;
    this.#rep1 = 0;
    this.#rep2 = 0;
    this.#rep3 = 0;
    this.#needsReset = false;
  }

  decode(input: Uint8Array, outputSize: number): void {
    if (!this.#hasProperties || this.#needsReset) throw new Lzma2Error('a chunk comes without properties');
    if (input.length < 5 || input[0] !== 0) throw new Lzma2Error('a chunk is damaged');
    this.#input = input;
    this.#coder[RANGE] = 0xffffffff;
    this.#coder[CODE] = (input[1]! << 24) | (input[2]! << 16) | (input[3]! << 8) | input[4]!;
    this.#at = 5;
    this.#run(outputSize);
    this.#normalize();
    if (this.#coder[CODE] !== 0 || this.#at !== input.length) throw new Lzma2Error('a chunk is damaged');
  }

  #run(outputSize: number): void {
    const window = this.#window;
    const end = window.position + outputSize;
    while (window.position < end) {
      const positionState = window.total & this.#positionMask;
      if (this.#bit(IS_MATCH + this.#state * 16 + positionState) === 0) {
        this.#literal();
        continue;
      }
      const length = this.#match(positionState);
      if (length > end - window.position || this.#rep0 >= window.reach) throw new Lzma2Error('a chunk is damaged');
      this.#copy(length);
    }
  }

  #copy(length: number): void {
    const window = this.#window;
    const { buffer } = window;
    let to = window.position;
    let from = to - this.#rep0 - 1;
    // Byte by byte: the match may overlap what it makes.
    for (let i = 0; i < length; i++) buffer[to++] = buffer[from++]!;
    window.position = to;
    window.total += length;
  }

  #literal(): void {
    const window = this.#window;
    const { buffer } = window;
    const previous = window.total === 0 ? 0 : buffer[window.position - 1]!;
    const low = (window.total & this.#literalPositionMask) << this.#literalContextBits;
    const context = low + (previous >> (8 - this.#literalContextBits));
    const table = LITERAL + LITERAL_SIZE * context;
    let symbol = 1;
    if (this.#state >= FIRST_NON_LITERAL_STATE) {
      // The byte a repeated match would have given is known not to come: it is part of the context.
      if (this.#rep0 >= window.reach) throw new Lzma2Error('a chunk is damaged');
      let matched = buffer[window.position - this.#rep0 - 1]!;
      while (symbol < 0x100) {
        const matchBit = (matched >> 7) & 1;
        matched <<= 1;
        const bit = this.#bit(table + ((1 + matchBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (bit !== matchBit) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(table + symbol);
    buffer[window.position++] = symbol & 0xff;
    window.total += 1;
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
  }

  /** Sets `#rep0` and gives the length. */
  #match(positionState: number): number {
    const state = this.#state;
    if (this.#bit(IS_REP + state) === 0) {
      this.#rep3 = this.#rep2;
      this.#rep2 = this.#rep1;
      this.#rep1 = this.#rep0;
      this.#state = state < FIRST_NON_LITERAL_STATE ? 7 : 10;
      const length = this.#length(MATCH_LENGTH, positionState);
      this.#rep0 = this.#distance(length);
      return length;
    }
    if (this.#bit(IS_REP_0 + state) === 0) {
      if (this.#bit(IS_LONG_REP_0 + state * 16 + positionState) === 0) {
        this.#state = state < FIRST_NON_LITERAL_STATE ? 9 : 11;
        return 1;
      }
    } else this.#rotateReps(state);
    this.#state = state < FIRST_NON_LITERAL_STATE ? 8 : 11;
    return this.#length(REP_LENGTH, positionState);
  }

  #rotateReps(state: number): void {
    let distance = this.#rep1;
    if (this.#bit(IS_REP_1 + state) !== 0) {
      if (this.#bit(IS_REP_2 + state) === 0) distance = this.#rep2;
      else {
        distance = this.#rep3;
        this.#rep3 = this.#rep2;
      }
      this.#rep2 = this.#rep1;
    }
    this.#rep1 = this.#rep0;
    this.#rep0 = distance;
  }

  #length(coder: number, positionState: number): number {
    if (this.#bit(coder) === 0) return MIN_MATCH + this.#tree(coder + 2 + positionState * 8, 3);
    if (this.#bit(coder + 1) === 0) return MIN_MATCH + 8 + this.#tree(coder + 130 + positionState * 8, 3);
    return MIN_MATCH + 16 + this.#tree(coder + 258, 8);
  }

  #distance(length: number): number {
    const slot = this.#tree(SLOTS + 64 * Math.min(length - MIN_MATCH, 3), 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = (2 | (slot & 1)) * 2 ** bits;
    if (slot < 14) return base + this.#reverseTree(SPECIAL + base - slot, bits);
    return base + this.#direct(bits - 4) * 16 + this.#reverseTree(ALIGN, 4);
  }

  #tree(at: number, bits: number): number {
    let symbol = 1;
    for (let i = 0; i < bits; i++) symbol = (symbol << 1) | this.#bit(at + symbol);
    return symbol - (1 << bits);
  }

  #reverseTree(at: number, bits: number): number {
    let symbol = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.#bit(at + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  /** Bits of equal probability. */
  #direct(bits: number): number {
    const coder = this.#coder;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      this.#normalize();
      const half = coder[RANGE]! >>> 1;
      coder[RANGE] = half;
      const bit = coder[CODE]! >= half ? 1 : 0;
      if (bit === 1) coder[CODE]! -= half;
      value = value * 2 + bit;
    }
    return value;
  }

  #bit(at: number): number {
    const coder = this.#coder;
    if (coder[RANGE]! < NORMAL_RANGE) this.#normalize();
    const probability = this.#probabilities[at]!;
    const range = coder[RANGE]!;
    const code = coder[CODE]!;
    const bound = (range >>> 11) * probability;
    if (code < bound) {
      coder[RANGE] = bound;
      this.#probabilities[at] = probability + ((2048 - probability) >> 5);
      return 0;
    }
    coder[RANGE] = range - bound;
    coder[CODE] = code - bound;
    this.#probabilities[at] = probability - (probability >> 5);
    return 1;
  }

  #normalize(): void {
    const coder = this.#coder;
    if (coder[RANGE]! >= NORMAL_RANGE) return;
    if (this.#at >= this.#input.length) throw new Lzma2Error('a chunk is damaged');
    coder[RANGE] = coder[RANGE]! << 8;
    coder[CODE] = (coder[CODE]! << 8) | this.#input[this.#at++]!;
  }
}
