/** A text that can be pointed into, and a range of it. */
export interface SourceFile {
  /** As shown to people: a path, `-` for standard input, or a URL. */
  readonly name: string;
  readonly text: string;
}

export interface Span {
  readonly file: SourceFile;
  /** UTF-16 offsets into `file.text`, end exclusive. */
  readonly start: number;
  readonly end: number;
}

/** 1-based line and column (UTF-16 units) of an offset. */
export function positionOf(file: SourceFile, offset: number): { readonly line: number; readonly column: number } {
  let line = 1;
  let lineStart = 0;
  for (;;) {
    const next = file.text.indexOf('\n', lineStart);
    if (next === -1 || next >= offset) return { line, column: offset - lineStart + 1 };
    lineStart = next + 1;
    line += 1;
  }
}
