/** The words of a Go template: text, and what stands between `{{` and `}}`. Trim markers and comments are applied. */
import { goQuote } from './go-printf.ts';

export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'space'
  | 'field'
  | 'dot'
  | 'variable'
  | 'identifier'
  | 'keyword'
  | 'bool'
  | 'nil'
  | 'string'
  | 'raw'
  | 'char'
  | 'number'
  | 'declare'
  | 'assign'
  | 'pipe'
  | '('
  | ')'
  | 'other'
  | 'end of file'
  /** The text is the message. Nothing follows. */
  | 'error';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly at: number;
}

const KEYWORDS = new Set(['block', 'break', 'continue', 'define', 'else', 'end', 'if', 'range', 'template', 'with']);
const BLANK = ' \t\r\n';
const WORD = /[\p{L}\p{Nd}_]/u;

/** Cuts a source into tokens; the last is the end of the file or an error. */
export function lexTemplate(source: string): readonly Token[] {
  return new Lexer(source).all();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
  }

  all(): readonly Token[] {
    let trimsText = false;
    for (;;) {
      const open = this.#source.indexOf('{{', this.#at);
      const trimsEnd = open !== -1 && this.#isTrimmingOpen(open);
      this.#text(open === -1 ? this.#source.length : open, trimsText, trimsEnd);
      if (open === -1) return this.#done('end of file', '');
      const end = this.#comment(open + (trimsEnd ? 3 : 2)) ?? this.#action(open, trimsEnd);
      if (typeof end !== 'boolean') return this.#tokens;
      trimsText = end;
    }
  }

  #isTrimmingOpen(open: number): boolean {
    return this.#source[open + 2] === '-' && BLANK.includes(this.#source[open + 3] ?? 'x');
  }

  #text(end: number, trimsStart: boolean, trimsEnd: boolean): void {
    let text = this.#source.slice(this.#at, end);
    if (trimsStart) text = text.replace(/^[ \t\r\n]+/, '');
    if (trimsEnd) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') this.#tokens.push({ kind: 'text', text, at: this.#at });
    this.#at = end;
  }

  #done(kind: 'end of file' | 'error', text: string, at = this.#at): readonly Token[] {
    this.#tokens.push({ kind, text, at });
    return this.#tokens;
  }

  /** Passes over a comment. Gives whether it trims what follows; undefined when there is none; tokens on an error. */
  #comment(start: number): boolean | readonly Token[] | undefined {
    const begins = this.#source[start] === ' ' && this.#source[start - 1] === '-' ? start + 1 : start;
    if (!this.#source.startsWith('/*', begins)) return undefined;
    const end = this.#source.indexOf('*/', begins);
    if (end === -1) return this.#done('error', 'unclosed comment');
    const close = this.#closeAt(end + 2);
    if (close === undefined) return this.#done('error', 'comment ends before closing delimiter');
    this.#at = end + 2 + close.length;
    return close.trims;
  }

  #closeAt(at: number): { trims: boolean; length: number } | undefined {
    if (BLANK.includes(this.#source[at] ?? 'x') && this.#source.startsWith('-}}', at + 1))
      return { trims: true, length: 4 };
    return this.#source.startsWith('}}', at) ? { trims: false, length: 2 } : undefined;
  }

  /** Gives whether the action trims what follows, or the tokens after an error. */
  #action(open: number, trims: boolean): boolean | readonly Token[] {
    this.#tokens.push({ kind: 'open', text: '{{', at: open });
    this.#at = open + (trims ? 3 : 2);
    this.#depth = 0;
    for (;;) {
      const close = this.#closeAt(this.#at);
      if (close !== undefined) {
        if (this.#depth > 0) return this.#done('error', 'unclosed left paren');
        this.#tokens.push({ kind: 'close', text: '}}', at: this.#at });
        this.#at += close.length;
        return close.trims;
      }
      if (this.#at >= this.#source.length) return this.#done('error', 'unclosed action');
      const failure = this.#token();
      if (failure !== undefined) return this.#done('error', failure);
    }
  }

  /** Takes one token; gives the message when it cannot. */
  #token(): string | undefined {
    const c = String.fromCodePoint(this.#source.codePointAt(this.#at)!);
    if (BLANK.includes(c)) return this.#blanks();
    if (c === '"' || c === "'") return this.#quoted(c);
    if (c === '`') return this.#raw();
    if (c === '=') return this.#push('assign', 1);
    if (c === ':') return this.#source[this.#at + 1] === '=' ? this.#push('declare', 2) : 'expected :=';
    if (c === '|') return this.#push('pipe', 1);
    if (c === '(' || c === ')') {
      this.#depth += c === '(' ? 1 : -1;
      return this.#push(c, 1);
    }
    if (c === '$') return this.#name('variable', 1);
    if (c === '.' && !/\d/.test(this.#source[this.#at + 1] ?? '')) return this.#name('field', 1);
    if (/[-+.\d]/.test(c)) return this.#number();
    if (WORD.test(c)) return this.#name('identifier', 0);
    if (/[\x20-\x7e]/.test(c)) return this.#push('other', 1);
    return `unrecognized character in action: ${unicodeName(c)}`;
  }

  #push(kind: TokenKind, length: number): undefined {
    this.#tokens.push({ kind, text: this.#source.slice(this.#at, this.#at + length), at: this.#at });
    this.#at += length;
    return undefined;
  }

  #blanks(): undefined {
    let end = this.#at;
    while (BLANK.includes(this.#source[end] ?? 'x')) end += 1;
    // The last blank may belong to a closing `-}}`.
    if (this.#closeAt(end - 1)?.trims === true) end -= 1;
    return end > this.#at ? this.#push('space', end - this.#at) : undefined;
  }

  #quoted(quote: string): string | undefined {
    for (let at = this.#at + 1; at < this.#source.length && this.#source[at] !== '\n'; at++) {
      if (this.#source[at] === '\\' && this.#source[at + 1] !== '\n') at += 1;
      else if (this.#source[at] === quote) return this.#push(quote === '"' ? 'string' : 'char', at + 1 - this.#at);
    }
    return quote === '"' ? 'unterminated quoted string' : 'unterminated character constant';
  }

  #raw(): string | undefined {
    const end = this.#source.indexOf('`', this.#at + 1);
    return end === -1 ? 'unterminated raw quoted string' : this.#push('raw', end + 1 - this.#at);
  }

  /** Fields, variables, functions and keywords end where a separator stands. */
  #name(kind: 'field' | 'variable' | 'identifier', prefix: number): string | undefined {
    let end = this.#at + prefix;
    while (end < this.#source.length && WORD.test(String.fromCodePoint(this.#source.codePointAt(end)!))) {
      end += this.#source.codePointAt(end)! > 0xffff ? 2 : 1;
    }
    const next = this.#source.codePointAt(end);
    const isOver = next === undefined || `${BLANK}.,|:)(`.includes(String.fromCodePoint(next));
    if (!isOver && !this.#source.startsWith('}}', end))
      return `bad character ${unicodeName(String.fromCodePoint(next))}`;
    const text = this.#source.slice(this.#at, end);
    return this.#push(kind === 'identifier' ? wordKind(text) : text === '.' ? 'dot' : kind, text.length);
  }

  #number(): string | undefined {
    const pattern =
      /[-+]?(?:0[xX][\da-fA-F_]*(?:\.[\da-fA-F_]*)?(?:[pP][-+]?[\d_]*)?|0[bB][01_]*|0[oO][0-7_]*|[\d_]*(?:\.[\d_]*)?(?:[eE][-+]?[\d_]*)?)/y;
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#source)![0];
    const next = this.#source.codePointAt(this.#at + text.length);
    if (next !== undefined && WORD.test(String.fromCodePoint(next))) {
      return `bad number syntax: ${goQuote(text + String.fromCodePoint(next))}`;
    }
    return this.#push('number', text.length);
  }
}

function wordKind(text: string): TokenKind {
  if (KEYWORDS.has(text)) return 'keyword';
  if (text === 'true' || text === 'false') return 'bool';
  return text === 'nil' ? 'nil' : 'identifier';
}

/** `U+002D '-'`, as `%#U` prints it. */
function unicodeName(c: string): string {
  return `U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')} '${c}'`;
}
