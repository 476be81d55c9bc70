/**
 * Parser directives: `# name=value` lines at the very top. The zone ends at the first line of any other shape, an
 * unknown name included, so that a directive below an ordinary comment is a comment too.
 */
import { BuilderError } from '../report/builder-error.ts';
import type { SourceFile, Span } from '../report/source-file.ts';
import { leadingSpace } from './white-space.ts';

export type DirectiveName = 'syntax' | 'escape' | 'check';
export type EscapeCharacter = '\\' | '`';

export interface Directive {
  readonly name: DirectiveName;
  readonly value: string;
  /** The whole line, from `#` on. */
  readonly span: Span;
  readonly valueSpan: Span;
}

const SHAPE = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=/;
/** Around a value; a vertical tab is part of it. */
const BLANKS = '\t\n\f\r ';
const NAMES: ReadonlySet<string> = new Set(['syntax', 'escape', 'check']);

/** Reads directives line by line until the zone ends. */
export class DirectiveZone {
  readonly #file: SourceFile;
  readonly #prefix: string;
  readonly #found: Directive[] = [];
  #open = true;

  constructor(file: SourceFile, prefix = '#') {
    this.#file = file;
    this.#prefix = prefix;
  }

  get directives(): readonly Directive[] {
    return this.#found;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** @throws BuilderError `dockerfile.syntax` for a second directive of the same name */
  read(line: string, offset: number): Directive | undefined {
    if (!this.#open) return undefined;
    const directive = this.#parse(line, offset);
    if (directive === undefined) {
      this.#open = false;
      return undefined;
    }
    if (this.#found.some((earlier) => earlier.name === directive.name)) {
      throw new BuilderError('dockerfile.syntax', `only one ${directive.name} parser directive can be used`, {
        span: directive.span,
      });
    }
    this.#found.push(directive);
    return directive;
  }

  #parse(line: string, offset: number): Directive | undefined {
    if (!line.startsWith(this.#prefix)) return undefined;
    const body = line.slice(this.#prefix.length);
    const indent = this.#prefix.length + leadingSpace(body);
    const match = SHAPE.exec(line.slice(indent));
    const name = match?.[1]?.toLowerCase();
    if (match === null || name === undefined || !NAMES.has(name)) return undefined;
    const range = valueRange(line, indent + match[0].length);
    if (range === undefined) return undefined;
    const { start, end } = range;
    return {
      name: name as DirectiveName,
      value: line.slice(start, end),
      span: { file: this.#file, start: offset, end: offset + end },
      valueSpan: { file: this.#file, start: offset + start, end: offset + end },
    };
  }
}

/** What stands behind the equals sign, blanks at either end left out; of nothing but blanks the last one is the value. */
function valueRange(line: string, from: number): { readonly start: number; readonly end: number } | undefined {
  let start = from;
  let end = line.length;
  while (start < end && BLANKS.includes(line[start]!)) start += 1;
  while (end > start && BLANKS.includes(line[end - 1]!)) end -= 1;
  if (start < end) return { start, end };
  return line.length > from ? { start: line.length - 1, end: line.length } : undefined;
}

/** @throws BuilderError `dockerfile.syntax` unless the value is a backslash or a backtick */
export function escapeOf(directive: Directive): EscapeCharacter {
  if (directive.value === '\\' || directive.value === '`') return directive.value;
  throw new BuilderError(
    'dockerfile.syntax',
    `invalid escape token ${JSON.stringify(directive.value)}: it must be \\ or \``,
    { span: directive.valueSpan },
  );
}

export interface SyntaxRequest {
  /** The front end asked for, e.g. `docker/dockerfile:1`. */
  readonly image: string;
  /** The whole value, image first. */
  readonly commandLine: string;
  readonly span: Span;
}

/**
 * The `syntax` a file asks for. Laxer than the parser: a leading `#!` line is passed over, and `// syntax=…` and a JSON
 * object with a `syntax` member count too. Undefined when nothing is asked for.
 */
export function detectSyntax(file: SourceFile): SyntaxRequest | undefined {
  let start = file.text.startsWith('\ufeff') ? 1 : 0;
  if (file.text.startsWith('#!', start)) {
    const newline = file.text.indexOf('\n', start);
    start = newline === -1 ? file.text.length : newline + 1;
  }
  for (const prefix of ['#', '//']) {
    const directive = scanZone(file, start, prefix).find(({ name }) => name === 'syntax');
    if (directive !== undefined) return request(directive.value, directive.valueSpan);
  }
  return syntaxMember(file, start);
}

function scanZone(file: SourceFile, start: number, prefix: string): readonly Directive[] {
  const zone = new DirectiveZone(file, prefix);
  try {
    for (let at = start; at < file.text.length && zone.isOpen; ) {
      const newline = file.text.indexOf('\n', at);
      const end = newline === -1 ? file.text.length : newline;
      zone.read(file.text.slice(at, end).replace(/\r$/, ''), at);
      at = end + 1;
    }
  } catch {
    // A doubled directive is the parser's to report; what was read so far still counts.
  }
  return zone.directives;
}

function syntaxMember(file: SourceFile, start: number): SyntaxRequest | undefined {
  if (!/^\s*\{/.test(file.text.slice(start, start + 1000))) return undefined;
  try {
    const value: unknown = JSON.parse(file.text.slice(start));
    const syntax = (value as { syntax?: unknown }).syntax;
    return typeof syntax === 'string' ? request(syntax, { file, start, end: file.text.length }, syntax) : undefined;
  } catch {
    return undefined;
  }
}

function request(value: string, span: Span, image: string = value.split(' ', 1)[0]!): SyntaxRequest {
  return { image, commandLine: value, span };
}
