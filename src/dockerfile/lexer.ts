/**
 * Physical lines into logical ones: byte order mark, directives, comments and line joining. Every character of a joined
 * line keeps its place in the source.
 */
import { BuilderError } from '../report/builder-error.ts';
import type { Diagnostic } from '../report/diagnostic.ts';
import type { SourceFile, Span } from '../report/source-file.ts';
import { type Directive, DirectiveZone, type EscapeCharacter, escapeOf } from './directives.ts';
import { type Fragment, FragmentBuilder } from './fragment.ts';
import { leadingSpace, trimSpace, withoutCarriageReturns } from './white-space.ts';

/** Bytes of one physical line without its newline; the bound BuildKit's scanner has. */
const MAX_LINE_BYTES = 65_535;

export interface PhysicalLine {
  /** Offset of its first character. */
  readonly start: number;
  /** Without the newline; carriage returns are kept. */
  readonly text: string;
  /** With the newline, if there is one. */
  readonly raw: string;
  /** 1-based. */
  readonly number: number;
}

/** A comment line above an instruction, without `#` and outer blanks. */
export interface Comment {
  readonly text: string;
  readonly span: Span;
}

export interface LogicalLine {
  readonly text: Fragment;
  /** 1-based, both inclusive. */
  readonly firstLine: number;
  readonly lastLine: number;
  readonly comments: readonly Comment[];
}

const CONTINUATION: Readonly<Record<EscapeCharacter, RegExp>> = {
  // The character before the escape must not be one too: a doubled escape at a line's end joins nothing.
  '\\': /(^|[^\\])\\[ \t]*$/,
  '`': /(^|[^`])`[ \t]*$/,
};

export class Lexer {
  readonly #file: SourceFile;
  readonly #zone: DirectiveZone;
  readonly #warnings: Diagnostic[] = [];
  readonly #allComments: Comment[] = [];
  #comments: Comment[] = [];
  #escape: EscapeCharacter = '\\';
  #at = 0;
  #line = 0;

  constructor(file: SourceFile) {
    this.#file = file;
    this.#zone = new DirectiveZone(file);
  }

  get directives(): readonly Directive[] {
    return this.#zone.directives;
  }

  get warnings(): readonly Diagnostic[] {
    return this.#warnings;
  }

  /** All comment lines so far that stand between instructions. */
  get comments(): readonly Comment[] {
    return this.#allComments;
  }

  get escape(): EscapeCharacter {
    return this.#escape;
  }

  /** Number of the line read last; 0 before the first. */
  get line(): number {
    return this.#line;
  }

  /** The next line as it stands (heredoc bodies are read this way), or undefined at the end. */
  nextPhysicalLine(): PhysicalLine | undefined {
    const { text } = this.#file;
    if (this.#at >= text.length) return undefined;
    const start = this.#at;
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    this.#at = newline === -1 ? end : newline + 1;
    this.#line += 1;
    const line = text.slice(start, end);
    this.#checkLength(line, start);
    return { start, text: line, raw: text.slice(start, this.#at), number: this.#line };
  }

  /** The next instruction's text, joined; undefined at the end of the file. */
  nextLogicalLine(): LogicalLine | undefined {
    for (;;) {
      const physical = this.nextPhysicalLine();
      if (physical === undefined) return undefined;
      const line = this.#firstPart(physical);
      if (line === undefined) continue;
      const joined = this.#join(line);
      const comments = this.#comments;
      this.#comments = [];
      return { text: joined, firstLine: physical.number, lastLine: this.#line, comments };
    }
  }

  #checkLength(line: string, start: number): void {
    // No character takes more than three bytes per UTF-16 unit, so short lines need no counting.
    if (line.length * 3 <= MAX_LINE_BYTES || Buffer.byteLength(line) <= MAX_LINE_BYTES) return;
    throw new BuilderError(
      'dockerfile.syntax',
      `line ${this.#line} is longer than the ${MAX_LINE_BYTES} bytes a dockerfile line may have`,
      { span: { file: this.#file, start, end: start + 1 }, hint: 'break it with a line continuation' },
    );
  }

  /** The first physical line of an instruction, left-trimmed; undefined for directives, comments and blank lines. */
  #firstPart(physical: PhysicalLine): { text: string; start: number; continues: boolean } | undefined {
    let text = withoutCarriageReturns(physical.text);
    let start = physical.start;
    if (physical.number === 1 && text.startsWith('\ufeff')) {
      text = text.slice(1);
      start += 1;
    }
    const indent = leadingSpace(text);
    text = text.slice(indent);
    start += indent;
    const directive = this.#zone.read(text, start);
    if (directive !== undefined) {
      if (directive.name === 'escape') this.#escape = escapeOf(directive);
      return undefined;
    }
    if (text.startsWith('#')) {
      this.#collectComment(text, start);
      return undefined;
    }
    const part = this.#cutContinuation(text);
    return part.text === '' && !part.continues ? undefined : { ...part, start };
  }

  /** An empty comment line drops what was collected, so that it can part a description from a note. */
  #collectComment(line: string, start: number): void {
    const text = trimSpace(line.slice(1));
    if (text === '') {
      this.#comments = [];
      return;
    }
    const comment = { text, span: { file: this.#file, start, end: start + line.length } };
    this.#comments.push(comment);
    this.#allComments.push(comment);
  }

  #cutContinuation(text: string): { text: string; continues: boolean } {
    const match = CONTINUATION[this.#escape].exec(text);
    if (match === null) return { text, continues: false };
    return { text: text.slice(0, match.index + match[1]!.length), continues: true };
  }

  #join(first: { text: string; start: number; continues: boolean }): Fragment {
    const joined = new FragmentBuilder(this.#file);
    joined.append(first.text, first.start);
    let emptyLine: PhysicalLine | undefined;
    for (let continues = first.continues; continues; ) {
      const physical = this.nextPhysicalLine();
      if (physical === undefined) break;
      const text = withoutCarriageReturns(physical.text);
      const indent = leadingSpace(text);
      if (text.startsWith('#', indent)) continue;
      if (indent === text.length) {
        emptyLine ??= physical;
        continue;
      }
      const part = this.#cutContinuation(text);
      joined.append(part.text, physical.start);
      continues = part.continues;
    }
    if (emptyLine !== undefined) this.#warnEmptyLine(emptyLine);
    return joined.build(first.start);
  }

  #warnEmptyLine({ start, text }: PhysicalLine): void {
    this.#warnings.push({
      severity: 'warning',
      code: 'NoEmptyContinuation',
      message: 'empty line inside a continued instruction',
      span: { file: this.#file, start, end: start + text.length },
      notes: [],
      help: 'remove it or put a comment there: some builders end the instruction here',
    });
  }
}
