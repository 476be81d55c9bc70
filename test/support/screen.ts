/**
 * A small terminal: enough of one to see what a display leaves on it, and to notice when the display draws past its
 * edges. Knows text, line feeds, carriage returns, cursor up, erasing to the end, colours and the cursor's visibility.
 */
import assert from 'node:assert/strict';
import { charWidth } from '../../src/cli/output/text-width.ts';

export class Screen {
  columns: number;
  rows: number;
  isCursorVisible = true;
  /** Lines that were wrapped by the terminal because they were too long. */
  wrapped = 0;
  /** Every line since the beginning, those above the screen included. */
  readonly #lines: string[] = [''];
  #row = 0;
  #column = 0;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  /** First line that is still on the screen. */
  get top(): number {
    return Math.max(0, this.#lines.length - this.rows);
  }

  /** All lines, scrolled away or not, without empty ones at the end. */
  get text(): string {
    return this.#lines
      .map((line) => line.trimEnd())
      .join('\n')
      .trimEnd();
  }

  write(data: string): void {
    const pattern = /\x1b\[([?\d;]*)([A-Za-z])|\x1b|[\s\S]/gu;
    for (const [piece, parameters, final] of data.matchAll(pattern)) {
      if (final !== undefined) this.#sequence(parameters ?? '', final);
      else if (piece === '\x1b')
        assert.fail(`an escape the screen does not know: ${JSON.stringify(data.slice(0, 200))}`);
      else this.#character(piece);
    }
  }

  #sequence(parameters: string, final: string): void {
    const full = `${parameters}${final}`;
    if (final === 'm') return;
    if (full === '?25l' || full === '?25h') this.isCursorVisible = final === 'h';
    else if (final === 'A') this.#up(Number(parameters));
    else if (full === '0J') this.#eraseBelow();
    else assert.fail(`a sequence the screen does not know: ${full}`);
  }

  #up(rows: number): void {
    assert.ok(this.#row - rows >= this.top, `the cursor is sent above the screen: ${rows} rows up`);
    this.#row -= rows;
  }

  #eraseBelow(): void {
    this.#lines[this.#row] = [...this.#lines[this.#row]!].slice(0, this.#column).join('');
    this.#lines.length = this.#row + 1;
  }

  #character(char: string): void {
    if (char === '\n') {
      this.#newLine();
      return;
    }
    if (char === '\r') {
      this.#column = 0;
      return;
    }
    assert.ok(char >= ' ' && char !== '\x7f', `a control character reaches the terminal: ${JSON.stringify(char)}`);
    const width = charWidth(char);
    if (this.#column + width > this.columns) {
      this.wrapped += 1;
      this.#newLine();
    }
    const line = this.#lines[this.#row]!;
    this.#lines[this.#row] = this.#column === 0 ? char : line + char;
    this.#column += width;
  }

  #newLine(): void {
    this.#row += 1;
    this.#column = 0;
    if (this.#row === this.#lines.length) this.#lines.push('');
  }
}
