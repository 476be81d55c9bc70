/**
 * A few lines at the bottom of the terminal that are drawn over. Each drawing is one write that hides the cursor first
 * and shows it again at its end: however the process ends, even by SIGKILL, the cursor is there.
 */
import type { Output } from './output.ts';
import { displayWidth } from './text-width.ts';

const HIDE = '\x1b[?25l';
const SHOW = '\x1b[?25h';
const COLOR = /\x1b\[[\d;]*m/g;

export class LiveFrame {
  readonly #out: Output;
  /** Cells each line of the frame takes. */
  #widths: readonly number[] = [];

  constructor(out: Output) {
    this.#out = out;
  }

  /**
   * Replaces the frame.
   * @param above text that stays, ending with a line feed; scrolls up with the rest of the screen
   * @param lines the new frame; none: it is gone
   */
  draw(above: string, lines: readonly string[]): void {
    const erase = this.#erase();
    const text = `${erase}${above}${lines.map((line) => `${line}\n`).join('')}`;
    if (text === '') return;
    this.#out.write(erase === '' && lines.length === 0 ? text : `${HIDE}${text}${SHOW}`);
    this.#widths = lines.map((line) => displayWidth(line.replace(COLOR, '')));
  }

  /** A terminal that became narrower since has wrapped the lines of the frame: they take more rows now. */
  #erase(): string {
    const columns = Math.max(1, this.#out.columns);
    const rows = this.#widths.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    return rows === 0 ? '' : `\r\x1b[${rows}A\x1b[0J`;
  }
}
