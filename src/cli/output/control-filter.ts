/**
 * What commands in containers print may hold control sequences that move the cursor, rename the window or answer for the
 * keyboard. On a terminal only text, line ends, tabs and colours get through. Works on bytes, so that text cut in the
 * middle of a character passes unharmed.
 */
const ESC = 0x1b;
const BEL = 0x07;

type State = 'text' | 'escape' | 'csi' | 'string' | 'string-escape' | 'c2' | 'skip-one';

export class ControlFilter {
  #state: State = 'text';
  #sequence: number[] = [];

  /** Takes the next piece of a stream and gives what may be shown of it. */
  filter(chunk: Uint8Array): Uint8Array {
    if (this.#state === 'text' && !chunk.some(isSpecial)) return chunk;
    const out: number[] = [];
    for (const byte of chunk) this.#step(byte, out);
    return Uint8Array.from(out);
  }

  #step(byte: number, out: number[]): void {
    switch (this.#state) {
      case 'text':
        this.#text(byte, out);
        return;
      case 'c2':
        // U+0080 to U+009F are the eight-bit forms of escape sequences.
        this.#state = 'text';
        if (byte === 0x9b) this.#begin('csi');
        else if (byte === 0x90 || byte === 0x9d || byte === 0x98 || byte === 0x9e || byte === 0x9f)
          this.#begin('string');
        else if (byte < 0x80 || byte > 0x9f) out.push(0xc2, byte);
        return;
      case 'escape':
        this.#escape(byte);
        return;
      case 'csi':
        this.#csi(byte, out);
        return;
      case 'string':
        if (byte === BEL) this.#state = 'text';
        else if (byte === ESC) this.#state = 'string-escape';
        return;
      case 'string-escape':
        this.#state = byte === 0x5c ? 'text' : 'string';
        return;
      case 'skip-one':
        this.#state = 'text';
        return;
    }
  }

  #text(byte: number, out: number[]): void {
    if (byte === ESC) this.#state = 'escape';
    else if (byte === 0xc2) this.#state = 'c2';
    else if (byte >= 0x20 && byte !== 0x7f) out.push(byte);
    else if (byte === 0x0a || byte === 0x0d || byte === 0x09) out.push(byte);
  }

  #begin(state: State): void {
    this.#state = state;
    this.#sequence = [];
  }

  #escape(byte: number): void {
    if (byte === 0x5b) this.#begin('csi');
    else if (byte === 0x5d || byte === 0x50 || byte === 0x58 || byte === 0x5e || byte === 0x5f) this.#begin('string');
    // Intermediate bytes announce one more.
    else if (byte >= 0x20 && byte <= 0x2f) this.#state = 'skip-one';
    else if (byte !== ESC) this.#state = 'text';
  }

  #csi(byte: number, out: number[]): void {
    if (byte >= 0x40 && byte <= 0x7e) {
      this.#state = 'text';
      const isColor =
        byte === 0x6d && this.#sequence.every((b) => (b >= 0x30 && b <= 0x39) || b === 0x3b || b === 0x3a);
      if (isColor) out.push(ESC, 0x5b, ...this.#sequence, byte);
      return;
    }
    if (byte < 0x20 || byte > 0x7e) {
      // Not a sequence after all; terminals act on the control and drop the rest.
      this.#state = 'text';
      this.#text(byte, out);
      return;
    }
    if (this.#sequence.length < 64) this.#sequence.push(byte);
  }
}

/** Bytes that plain text does not hold; most output passes without a second look. */
function isSpecial(byte: number): boolean {
  return (byte < 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) || byte === 0x7f || byte === 0xc2;
}
