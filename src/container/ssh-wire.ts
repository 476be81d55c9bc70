/**
 * The byte format SSH keys and agents share: lengths of four bytes before strings, big numbers as signed strings.
 *
 * @see RFC 4251, section 5
 */

/** What does not fit: truncated, or longer than it says. */
export class WireError extends Error {}

/** Reads one value after the other. @throws WireError at the end of the bytes */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  uint32(): number {
    return this.take(4).readUInt32BE(0);
  }

  string(): Buffer {
    return this.take(this.uint32());
  }

  text(): string {
    return this.string().toString('utf8');
  }

  take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new WireError('the bytes end too early');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

export function wireUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function wireString(content: Buffer | string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([wireUint32(bytes.length), bytes]);
}

/** An unsigned big-endian number: no leading zeros, but one before a high bit, which would mean a negative number. */
export function wireNumber(magnitude: Buffer): Buffer {
  const bytes = withoutLeadingZeros(magnitude);
  const isHigh = bytes.length > 0 && bytes[0]! >= 0x80;
  return wireString(isHigh ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes);
}

export function withoutLeadingZeros(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first === -1 ? bytes.subarray(bytes.length) : bytes.subarray(first);
}
