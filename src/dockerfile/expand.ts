/**
 * Variables, quotes and escapes of one word, as BuildKit's shell lexer reads them. The same reader serves plain words,
 * expand-then-split (EXPOSE), heredoc bodies (quotes stay) and the search for heredoc words (everything stays).
 */
import { BuilderError } from '../report/builder-error.ts';
import type { Span } from '../report/source-file.ts';
import type { EscapeCharacter } from './directives.ts';
import { type Fragment, spanOf } from './fragment.ts';
import { cutPrefix, cutSuffix, PatternError, replacePattern } from './substitution-pattern.ts';
import { isSpace } from './white-space.ts';

/** Looks a variable up; undefined means unset, which differs from empty. */
export type Lookup = (name: string) => string | undefined;

export interface ExpandOptions {
  readonly escape: EscapeCharacter;
  /** Quotes stay in the result (single-quoted text is still literal). */
  readonly keepQuotes?: boolean;
  /** Escape characters stay in the result. */
  readonly keepEscapes?: boolean;
  /** Quotes are ordinary characters: heredoc bodies. */
  readonly ignoreQuotes?: boolean;
  /** References to unset variables stay as written. */
  readonly keepUnset?: boolean;
}

/** One reference to a variable; offsets are UTF-16 indexes into the text that was expanded, from `$` to its end. */
export interface VariableUse {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly isSet: boolean;
}

export interface Expansion {
  readonly text: string;
  /** The text split at unquoted white space after expansion; empty words are left out. */
  readonly words: readonly string[];
  readonly variables: readonly VariableUse[];
}

/** What is wrong with a text, and where in it. */
export class ExpansionError extends Error {
  readonly start: number;
  readonly end: number;

  constructor(message: string, start: number, end: number) {
    super(message);
    this.start = start;
    this.end = end;
  }
}

/** How the body of an unquoted COPY or ADD heredoc is expanded: always with backslash, whatever the directive says. */
export const HEREDOC_BODY: ExpandOptions = { escape: '\\', ignoreQuotes: true };

/** @throws ExpansionError */
export function expandText(text: string, lookup: Lookup, options: ExpandOptions): Expansion {
  return new WordReader(text, lookup, options).expand();
}

export interface FragmentExpansion {
  readonly text: string;
  readonly words: readonly string[];
  readonly variables: readonly { readonly name: string; readonly isSet: boolean; readonly span: Span }[];
}

/** Expands a fragment; variables come back with their places. @throws BuilderError `dockerfile.expansion` */
export function expandFragment(fragment: Fragment, lookup: Lookup, options: ExpandOptions): FragmentExpansion {
  try {
    const { text, words, variables } = expandText(fragment.text, lookup, options);
    const placed = variables.map(({ name, isSet, start, end }) => ({
      name,
      isSet,
      span: spanOf(fragment, start, end),
    }));
    return { text, words, variables: placed };
  } catch (error) {
    if (!(error instanceof ExpansionError)) throw error;
    throw new BuilderError('dockerfile.expansion', `cannot expand ${quoteText(fragment.text)}: ${error.message}`, {
      span: spanOf(fragment, error.start, error.end),
    });
  }
}

function quoteText(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}

/** Splits into words as characters arrive: expanded text splits at white space, quoted text never does. */
class WordSplitter {
  readonly #words: string[] = [];
  #word = '';
  #inWord = false;

  addCharacter(character: string): void {
    if (!isSpace(character)) this.addRaw(character);
    else if (this.#inWord && this.#word !== '') {
      this.#words.push(this.#word);
      this.#word = '';
      this.#inWord = false;
    }
  }

  addText(text: string): void {
    for (const character of text) this.addCharacter(character);
  }

  addRaw(text: string): void {
    this.#word += text;
    this.#inWord = true;
  }

  /** Forgets the word under way. */
  drop(): void {
    this.#word = '';
  }

  finish(): readonly string[] {
    if (this.#word !== '') this.#words.push(this.#word);
    return this.#words;
  }
}

/** Levels of `${a:-${b:-…}}`; far beyond any use, and well within the call stack. */
const MAX_NESTING = 200;

const NAME_START = /[\p{L}\p{Nd}_]/u;
const DIGIT = /\p{Nd}/u;
const SPECIAL = new Set(['@', '*', '#', '?', '-', '$', '!']);

class WordReader {
  readonly #text: string;
  readonly #lookup: Lookup;
  readonly #options: ExpandOptions;
  readonly #variables: VariableUse[] = [];
  #keepEscapes: boolean;
  #splitter: WordSplitter | undefined;
  #at = 0;
  #depth = 0;

  constructor(text: string, lookup: Lookup, options: ExpandOptions) {
    this.#text = text;
    this.#lookup = lookup;
    this.#options = options;
    this.#keepEscapes = options.keepEscapes ?? false;
    if (text.startsWith('\ufeff')) this.#at = 1;
  }

  expand(): Expansion {
    const splitter = new WordSplitter();
    this.#splitter = splitter;
    const text = this.#readUntil(undefined, this.#keepEscapes, splitter);
    return { text, words: splitter.finish(), variables: this.#variables };
  }

  /** The character ahead, or '' at the end. */
  #peek(): string {
    const code = this.#text.codePointAt(this.#at);
    return code === undefined ? '' : String.fromCodePoint(code);
  }

  #next(): string {
    const character = this.#peek();
    this.#at += character.length;
    return character;
  }

  #fail(message: string, start: number): never {
    throw new ExpansionError(message, start, Math.max(this.#at, start + 1));
  }

  /** Reads up to and including `stop` (to the end when undefined); only the outermost call splits into words. */
  #readUntil(stop: string | undefined, keepEscapes: boolean, splitter?: WordSplitter): string {
    const before = this.#keepEscapes;
    const start = this.#at;
    this.#keepEscapes = keepEscapes;
    this.#depth += 1;
    if (this.#depth > MAX_NESTING) this.#fail(`substitutions are nested more than ${MAX_NESTING} deep`, start);
    // BuildKit shares one buffer between nesting levels: a modifier's word drops the characters of the split word that
    // stand before it. EXPOSE, the only user of split words, must agree with it on the ports.
    if (splitter === undefined) this.#splitter?.drop();
    try {
      let result = '';
      while (this.#at < this.#text.length) {
        const character = this.#peek();
        if (character === stop) {
          this.#next();
          return result;
        }
        result += this.#readOne(character, splitter);
      }
      if (stop !== undefined) this.#fail(`unexpected end of statement while looking for matching ${stop}`, start);
      return result;
    } finally {
      this.#keepEscapes = before;
      this.#depth -= 1;
    }
  }

  #readOne(character: string, splitter: WordSplitter | undefined): string {
    const quotes = this.#options.ignoreQuotes !== true;
    if (character === '$') {
      const value = this.#readDollar();
      splitter?.addText(value);
      return value;
    }
    if (character === '<' || (quotes && (character === "'" || character === '"'))) {
      const value = this.#readSpecial(character);
      splitter?.addRaw(value);
      return value;
    }
    this.#next();
    if (character !== this.#options.escape) {
      splitter?.addCharacter(character);
      return character;
    }
    const kept = this.#keepEscapes ? character : '';
    if (kept !== '') splitter?.addRaw(kept);
    const escaped = this.#next();
    if (escaped !== '') splitter?.addRaw(escaped);
    return kept + escaped;
  }

  #readSpecial(character: string): string {
    if (character === "'") return this.#readSingleQuoted();
    return character === '"' ? this.#readDoubleQuoted() : this.#readLessThan();
  }

  #readSingleQuoted(): string {
    const start = this.#at;
    const close = this.#text.indexOf("'", start + 1);
    if (close === -1) {
      this.#at = this.#text.length;
      this.#fail('unexpected end of statement while looking for matching single-quote', start);
    }
    this.#at = close + 1;
    const keep = this.#options.keepQuotes === true;
    return keep ? this.#text.slice(start, close + 1) : this.#text.slice(start + 1, close);
  }

  #readDoubleQuoted(): string {
    const start = this.#at;
    const quote = this.#options.keepQuotes === true ? '"' : '';
    let result = quote;
    this.#next();
    for (;;) {
      const character = this.#peek();
      if (character === '') {
        this.#fail('unexpected end of statement while looking for matching double-quote', start);
      } else if (character === '"') {
        this.#next();
        return result + quote;
      } else if (character === '$') {
        result += this.#readDollar();
      } else {
        result += this.#readQuotedCharacter();
      }
    }
  }

  /** Inside double quotes the escape character is special only before `"`, `$` and itself. */
  #readQuotedCharacter(): string {
    const character = this.#next();
    const { escape: escapeCharacter } = this.#options;
    if (character !== escapeCharacter) return character;
    const kept = this.#keepEscapes ? character : '';
    const ahead = this.#peek();
    if (ahead === '') return kept;
    return kept + (ahead === '"' || ahead === '$' || ahead === escapeCharacter ? this.#next() : character);
  }

  /** `<<` keeps the blanks behind it, so that `<< EOF` stays one word. */
  #readLessThan(): string {
    const start = this.#at;
    this.#next();
    if (this.#peek() !== '<') return '<';
    this.#next();
    while (/^[\t\r ]$/.test(this.#peek())) this.#next();
    return this.#text.slice(start, this.#at);
  }

  #readDollar(): string {
    const start = this.#at;
    this.#next();
    if (this.#peek() === '{') return this.#readBraced(start);
    const name = this.#readName();
    if (name === '') return '$';
    const value = this.#value(name, start);
    return value ?? (this.#options.keepUnset === true ? `$${name}` : '');
  }

  #readBraced(start: number): string {
    this.#next();
    const first = this.#peek();
    if (first === '') this.#fail("syntax error: missing '}'", start);
    if (first === '{' || first === '}' || first === ':') this.#fail('syntax error: bad substitution', start);
    const name = this.#readName();
    const operator = this.#next();
    if (operator === '}') {
      const value = this.#value(name, start);
      return value ?? (this.#options.keepUnset === true ? `\${${name}}` : '');
    }
    if (operator === '/') return this.#readReplacement(name, start);
    const modifier = operator === ':' ? this.#next() : operator;
    const written = operator === ':' ? `:${modifier || '\ufffd'}` : operator || '\ufffd';
    if (operator === ':' || '+-?#%'.includes(operator || ' ')) {
      return this.#readModified(name, modifier, written, operator === ':', start);
    }
    return this.#fail(`unsupported modifier (${written}) in substitution`, start);
  }

  #readModified(name: string, modifier: string, written: string, emptyIsUnset: boolean, start: number): string {
    const isPattern = modifier === '#' || modifier === '%';
    if (emptyIsUnset && isPattern) this.#fail(`unsupported modifier (${written}) in substitution`, start);
    const word = this.#readPart('}', isPattern, "syntax error: missing '}'", start);
    const value = this.#value(name, start);
    if (value === undefined && this.#options.keepUnset === true) return `\${${name}${written}${word}}`;
    const usable = value === undefined || (emptyIsUnset && value === '') ? undefined : value;
    switch (modifier) {
      case '-':
        return usable ?? word;
      case '+':
        return usable === undefined ? '' : word;
      case '?':
        if (usable !== undefined) return usable;
        return this.#fail(
          `${name}: ${word || `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`}`,
          start,
        );
      case '#':
      case '%': {
        const longest = word.startsWith(modifier);
        const cut = modifier === '#' ? cutPrefix : cutSuffix;
        const pattern = longest ? word.slice(1) : word;
        return this.#withPattern(pattern, start, () => cut(value ?? '', pattern, longest));
      }
      default:
        return this.#fail(`unsupported modifier (${written}) in substitution`, start);
    }
  }

  #readReplacement(name: string, start: number): string {
    const all = this.#peek() === '/';
    if (all) this.#next();
    const pattern = this.#readPart('/', true, "syntax error: missing '/' in ${}", start);
    const replacement = this.#readPart('}', true, "syntax error: missing '}'", start);
    const value = this.#value(name, start);
    if (value === undefined && this.#options.keepUnset === true) return `\${${name}/${pattern}/${replacement}}`;
    return this.#withPattern(pattern, start, () => replacePattern(value ?? '', pattern, replacement, all));
  }

  /** A part of a substitution up to `stop`; running out of text is told as what is missing. */
  #readPart(stop: string, keepEscapes: boolean, missing: string, start: number): string {
    try {
      return this.#readUntil(stop, keepEscapes);
    } catch (error) {
      if (error instanceof ExpansionError && this.#at >= this.#text.length) this.#fail(missing, start);
      throw error;
    }
  }

  #withPattern(pattern: string, start: number, apply: () => string): string {
    try {
      return apply();
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      return this.#fail(`invalid pattern (${pattern}) in substitution: ${error.message}`, start);
    }
  }

  /** A variable's name: letters, digits and underscores, or digits alone, or one special parameter. */
  #readName(): string {
    const start = this.#at;
    if (DIGIT.test(this.#peek())) {
      while (DIGIT.test(this.#peek())) this.#next();
    } else if (SPECIAL.has(this.#peek())) {
      this.#next();
    } else {
      while (NAME_START.test(this.#peek())) this.#next();
    }
    return this.#text.slice(start, this.#at);
  }

  #value(name: string, start: number): string | undefined {
    const value = this.#lookup(name);
    this.#variables.push({ name, start, end: this.#at, isSet: value !== undefined });
    return value;
  }
}
