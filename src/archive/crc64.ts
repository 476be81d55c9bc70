/** CRC-64, bits reflected: of ECMA-182, the usual check of xz files, and of ISO 3309. In halves of 32 bits, for speed. */
interface Table {
  readonly low: Int32Array;
  readonly high: Int32Array;
}

/** A polynomial with its bits reflected, in halves. */
function tableOf(polynomialHigh: number, polynomialLow: number): Table {
  const table = { low: new Int32Array(256), high: new Int32Array(256) };
  for (let byte = 0; byte < 256; byte++) {
    let low = byte;
    let high = 0;
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (low & 1) !== 0;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (isOdd) {
        low ^= polynomialLow;
        high ^= polynomialHigh;
      }
    }
    table.low[byte] = low;
    table.high[byte] = high;
  }
  return table;
}

const TABLES = { ecma: tableOf(0xc96c5795, 0xd7870f42), iso: tableOf(0xd8000000, 0) } as const;

export class Crc64 {
  readonly #table: Table;
  #low = -1;
  #high = -1;

  constructor(polynomial: keyof typeof TABLES = 'ecma') {
    this.#table = TABLES[polynomial];
  }

  update(bytes: Uint8Array): void {
    const { low: lows, high: highs } = this.#table;
    let low = this.#low;
    let high = this.#high;
    for (let i = 0; i < bytes.length; i++) {
      const index = (low ^ bytes[i]!) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ lows[index]!;
      high = (high >>> 8) ^ highs[index]!;
    }
    this.#low = low;
    this.#high = high;
  }

  /** @param stated eight bytes, little-endian */
  matches(stated: Buffer): boolean {
    return stated.readInt32LE(0) === ~this.#low && stated.readInt32LE(4) === ~this.#high;
  }

  /** Eight bytes, big-endian. */
  sum(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeInt32BE(~this.#high, 0);
    bytes.writeInt32BE(~this.#low, 4);
    return bytes;
  }
}
