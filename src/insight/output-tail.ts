/** The end of what a step printed, as text. */

export interface OutputText {
  /** Without control sequences; bytes that are no UTF-8 are U+FFFD. */
  readonly text: string;
  /** Bytes that came before and are not kept. */
  readonly skippedBytes: number;
}

const MOST_BYTES = 32 * 1024;

/** Keeps at most the last 32 KiB, whatever is printed. */
export class OutputTail {
  readonly #most: number;
  #chunks: Uint8Array[] = [];
  #kept = 0;
  #skipped = 0;

  constructor(most: number = MOST_BYTES) {
    this.#most = most;
  }

  add(data: Uint8Array): void {
    // The sender may use its buffer again.
    const own = Uint8Array.from(data.subarray(Math.max(0, data.length - this.#most)));
    this.#skipped += data.length - own.length;
    this.#chunks.push(own);
    this.#kept += own.length;
    // Twice what is kept may pile up before it is cut, so that small writes cost little.
    if (this.#kept > 2 * this.#most) this.#cut();
  }

  read(): OutputText {
    this.#cut();
    const bytes = this.#chunks[0] ?? new Uint8Array();
    const from = this.#skipped === 0 ? 0 : firstLine(bytes);
    return {
      text: plainText(new TextDecoder().decode(bytes.subarray(from))),
      skippedBytes: this.#skipped + from,
    };
  }

  #cut(): void {
    const all = Buffer.concat(this.#chunks);
    const from = Math.max(0, all.length - this.#most);
    this.#chunks = [all.subarray(from)];
    this.#kept = all.length - from;
    this.#skipped += from;
  }
}

/** Where the first whole line begins; 0 when there is none. */
function firstLine(bytes: Uint8Array): number {
  const end = bytes.indexOf(0x0a);
  return end === -1 || end === bytes.length - 1 ? 0 : end + 1;
}

/** Cursor moves, titles and the like. @see ECMA-48, 5.3, 5.4, 5.6 */
const SEQUENCES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])/g;

/** Text as a terminal would have left it: no escape sequences, of lines that were drawn over the last drawing. */
function plainText(text: string): string {
  return text
    .replace(SEQUENCES, '')
    .split('\n')
    .map((line) => line.replace(/\r+$/, '').split('\r').at(-1)!)
    .join('\n')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}
