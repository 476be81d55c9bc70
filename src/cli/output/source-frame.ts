/** A place in a source text, shown: file, line and column, the lines themselves, and what is meant underlined. */
import type { Span } from '../../index.ts';
import { redact, redactInPlace } from './redact.ts';
import type { Style } from './style.ts';
import { charWidth, displayWidth } from './text-width.ts';

const TAB = 4;
/** Longer spans show their first lines and say that there are more. */
const MOST_LINES = 6;

interface FrameLine {
  readonly number: number;
  readonly text: string;
  /** UTF-16 offsets in `text` of what is underlined. */
  readonly from: number;
  readonly to: number;
}

/**
 * @param width columns the frame may take
 * @param code shown beside the place: an error code or the name of a rule
 */
export function sourceFrame(span: Span, width: number, style: Style, code?: string): string {
  const { lines, isCut, column } = linesOf(span);
  const gutter = String(lines.at(-1)!.number).length;
  const bar = style.path('|');
  const place = `${printable(redact(span.file.name))}:${lines[0]!.number}:${column}`;
  let out = `${' '.repeat(gutter)}${style.path('-->')} ${place}${code === undefined ? '' : ` ${style.faint(`[${code}]`)}`}\n`;
  out += `${' '.repeat(gutter)} ${bar}\n`;
  for (const line of lines) {
    const { text, start, length } = windowed(line, Math.max(20, width - gutter - 3), style.signs.ellipsis);
    out += `${style.path(String(line.number).padStart(gutter))} ${bar} ${text}`.trimEnd();
    out += '\n';
    // Nothing is meant on an empty line in the middle of a range.
    const isMarked = length > 0 && (line === lines[0] || line.to > line.from);
    if (isMarked) out += `${' '.repeat(gutter)} ${bar} ${' '.repeat(start)}${style.bad('^'.repeat(length))}\n`;
  }
  if (isCut) out += `${' '.repeat(gutter)} ${bar} ${style.signs.ellipsis}\n`;
  return out;
}

function linesOf(span: Span): { lines: FrameLine[]; isCut: boolean; column: number } {
  const { text } = span.file;
  const start = Math.max(0, Math.min(span.start, text.length));
  const end = Math.max(start, Math.min(span.end, text.length));
  let number = 1;
  let lineStart = 0;
  for (let next = text.indexOf('\n'); next !== -1 && next < start; next = text.indexOf('\n', lineStart)) {
    number += 1;
    lineStart = next + 1;
  }
  const column = start - lineStart + 1;
  const lines: FrameLine[] = [];
  for (;;) {
    const newline = text.indexOf('\n', lineStart);
    const lineEnd = newline === -1 ? text.length : newline;
    const line = redactInPlace(text.slice(lineStart, lineEnd).replace(/\r$/, ''));
    const from = Math.max(0, Math.min(start - lineStart, line.length));
    const to = Math.min(end - lineStart, line.length);
    lines.push({ number, text: line, ...meaningful(line, from, to, lines.length > 0) });
    if (newline === -1 || end <= newline + 1) return { lines, isCut: false, column };
    if (lines.length === MOST_LINES) return { lines, isCut: true, column };
    number += 1;
    lineStart = newline + 1;
  }
}

/** Continuation lines are underlined from their first to their last visible character. */
function meaningful(line: string, from: number, to: number, isContinuation: boolean): { from: number; to: number } {
  const end = Math.max(from, line.slice(0, Math.max(to, 0)).trimEnd().length);
  if (!isContinuation) return { from, to: end };
  return { from: Math.min(end, line.length - line.trimStart().length), to: end };
}

/** Tabs expanded, controls made visible, cut around the underlined part to fit `width` cells. */
function windowed(line: FrameLine, width: number, ellipsis: string): { text: string; start: number; length: number } {
  const cells: { readonly char: string; readonly width: number; readonly isMarked: boolean }[] = [];
  let at = 0;
  let column = 0;
  for (const char of line.text) {
    const isMarked = at >= line.from && at < line.to;
    const shown = char === '\t' ? ' '.repeat(TAB - (column % TAB)) : printable(char);
    const cell = char === '\t' ? shown.length : Math.max(charWidth(shown), 0);
    cells.push({ char: shown, width: cell, isMarked });
    column += cell;
    at += char.length;
  }
  const marked = cells.findIndex((cell) => cell.isMarked);
  // A point rather than a range: the caret stands at it, also behind the last character.
  if (marked === -1) {
    const before = displayWidth(
      cells
        .filter((_, i) => i < line.from)
        .map((cell) => cell.char)
        .join(''),
    );
    return { ...cutTo(cells, before, 0, width, ellipsis), length: line.to > line.from || before > width ? 0 : 1 };
  }
  const start = sum(cells.slice(0, marked));
  const length = Math.max(1, sum(cells.filter((cell) => cell.isMarked)));
  return cutTo(cells, start, length, width, ellipsis);
}

type Cells = readonly { readonly char: string; readonly width: number }[];

function cutTo(
  cells: Cells,
  start: number,
  length: number,
  width: number,
  ellipsis: string,
): { text: string; start: number; length: number } {
  const total = sum(cells);
  if (total <= width) return { text: cells.map((cell) => cell.char).join(''), start, length };
  // Keep a quarter of the width in front of what is meant; an ellipsis stands at each cut end.
  const dots = displayWidth(ellipsis);
  const first = start < width / 2 ? 0 : Math.min(start - Math.floor(width / 4), Math.max(0, total - width + dots));
  let text = first === 0 ? '' : ellipsis;
  let column = 0;
  let used = text.length;
  let skipped = 0;
  for (const cell of cells) {
    if (column < first) {
      column += cell.width;
      skipped = column;
      continue;
    }
    if (used + cell.width > width - dots && column + cell.width < total) {
      text += ellipsis;
      break;
    }
    text += cell.char;
    used += cell.width;
    column += cell.width;
  }
  const shift = first === 0 ? 0 : skipped - dots;
  return { text, start: start - shift, length: Math.max(0, Math.min(length, width - (start - shift))) };
}

function sum(cells: Cells): number {
  return cells.reduce((total, cell) => total + cell.width, 0);
}

/** Control characters of sources must not reach the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\uFFFD');
}
