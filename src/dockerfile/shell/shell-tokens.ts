/**
 * A shell script into words and operators, as a POSIX shell and bash read them: quotes, escapes, comments, heredocs and
 * nested substitutions. Nothing is expanded; a word tells whether its text is all there is to it.
 * @see POSIX.1-2017, Shell Command Language, 2.2 Quoting and 2.3 Token Recognition
 */
import { type Fragment, sliceFragment } from '../fragment.ts';

export interface ShellWord {
  readonly kind: 'word';
  /** Quotes and escapes removed, expansions as written. */
  readonly text: string;
  /** As written. */
  readonly fragment: Fragment;
  /** Nothing in it is expanded: no variable, no substitution. */
  readonly isLiteral: boolean;
  /** No part of it was quoted or escaped: reserved words and assignments need that. */
  readonly isPlain: boolean;
}

export interface ShellOperator {
  readonly kind: 'operator';
  /** `\n` for the end of a line. */
  readonly text: string;
  readonly fragment: Fragment;
}

export type ShellToken = ShellWord | ShellOperator;

export interface TokenizedScript {
  readonly tokens: readonly ShellToken[];
  /** Insides of `$(…)`, `` `…` `` and `<(…)`, which are scripts of their own. */
  readonly substitutions: readonly Fragment[];
}

/** Longest first. */
// biome-ignore format: a list by length
const OPERATORS = [
  '<<<', '<<-', '&>>', ';;&',
  '&&', '||', ';;', ';&', '|&', '<<', '>>', '<&', '>&', '<>', '>|', '&>',
  '|', '&', ';', '(', ')', '<', '>', '\n',
] as const;

const ENDS_WORD = /[\s|&;()<>]/;

/** Nobody nests deeper; whoever does is not followed. */
const MAX_DEPTH = 40;

/** Thrown and caught in this file only. */
class Unreadable extends Error {}

/** Undefined for a text no shell would accept: an open quote, an open substitution. */
export function tokenizeShell(script: Fragment): TokenizedScript | undefined {
  try {
    return new Tokenizer(script).run();
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

class Tokenizer {
  readonly #script: Fragment;
  readonly #text: string;
  readonly #tokens: ShellToken[] = [];
  readonly #substitutions: Fragment[] = [];
  /** Delimiters of heredocs whose bodies begin at the next line. */
  #heredocs: { readonly name: string; readonly stripTabs: boolean }[] = [];
  #depth: number;
  #at = 0;

  constructor(script: Fragment, depth = 0) {
    this.#script = script;
    this.#text = script.text;
    this.#depth = depth;
    if (depth > MAX_DEPTH) throw new Unreadable();
  }

  run(): TokenizedScript {
    while (this.#at < this.#text.length) this.#next();
    return { tokens: this.#tokens, substitutions: this.#substitutions };
  }

  #next(): void {
    const c = this.#text[this.#at]!;
    if (c === '\n') this.#endLine();
    else if (/\s/.test(c)) this.#at += 1;
    else if (this.#text.startsWith('\\\n', this.#at)) this.#at += 2;
    else if (c === '#') this.#skipComment();
    else if (/[|&;()<>]/.test(c) && !this.#isProcessSubstitution()) this.#operator();
    else this.#word();
  }

  #skipComment(): void {
    const newline = this.#text.indexOf('\n', this.#at);
    this.#at = newline === -1 ? this.#text.length : newline;
  }

  #endLine(): void {
    this.#push('\n', this.#at);
    this.#at += 1;
    for (const { name, stripTabs } of this.#heredocs) this.#skipHeredoc(name, stripTabs);
    this.#heredocs = [];
  }

  #skipHeredoc(name: string, stripTabs: boolean): void {
    while (this.#at < this.#text.length) {
      const newline = this.#text.indexOf('\n', this.#at);
      const end = newline === -1 ? this.#text.length : newline;
      const line = this.#text.slice(this.#at, end);
      this.#at = newline === -1 ? end : newline + 1;
      if ((stripTabs ? line.replace(/^\t+/, '') : line) === name) return;
    }
  }

  #operator(): void {
    if (this.#text.startsWith('((', this.#at) && this.#isCommandPosition()) {
      this.#at = this.#arithmeticEnd(this.#at + 2);
      return;
    }
    const found = OPERATORS.find((operator) => this.#text.startsWith(operator, this.#at))!;
    this.#push(found, this.#at);
    this.#at += found.length;
  }

  #push(text: string, start: number): void {
    this.#tokens.push({ kind: 'operator', text, fragment: sliceFragment(this.#script, start, start + text.length) });
  }

  #isCommandPosition(): boolean {
    const last = this.#tokens.at(-1);
    return (
      last === undefined ||
      (last.kind === 'operator' ? !/[<>]/.test(last.text) : /^(do|then|if|while)$/.test(last.text))
    );
  }

  #isProcessSubstitution(): boolean {
    return /^[<>]\(/.test(this.#text.slice(this.#at, this.#at + 2));
  }

  #word(): void {
    const start = this.#at;
    let text = '';
    let isLiteral = true;
    let isPlain = true;
    while (this.#at < this.#text.length) {
      const c = this.#text[this.#at]!;
      const isNested = this.#at === start && this.#isProcessSubstitution();
      if (ENDS_WORD.test(c) && !isNested) break;
      const from = this.#at;
      if (c === '\\') text += this.#escaped();
      else if (c === "'") text += this.#singleQuoted();
      else if (c === '"') isLiteral = this.#doubleQuoted((part) => (text += part)) && isLiteral;
      else if (c === '$' && /["']/.test(this.#text[from + 1] ?? '')) this.#at += 1;
      else if (c === '$' || c === '`' || isNested) {
        isLiteral = !this.#expansion() && isLiteral;
        text += this.#text.slice(from, this.#at);
      } else {
        text += c;
        this.#at += 1;
      }
      if (/[\\'"]/.test(c)) isPlain = false;
    }
    const fragment = sliceFragment(this.#script, start, this.#at);
    this.#noteHeredoc(text);
    this.#tokens.push({ kind: 'word', text, fragment, isLiteral, isPlain });
  }

  #noteHeredoc(name: string): void {
    const last = this.#tokens.at(-1);
    if (last?.kind !== 'operator' || (last.text !== '<<' && last.text !== '<<-')) return;
    this.#heredocs.push({ name, stripTabs: last.text === '<<-' });
  }

  #escaped(): string {
    const next = this.#text[this.#at + 1];
    this.#at += 2;
    return next === undefined || next === '\n' ? '' : next;
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end === -1) throw new Unreadable();
    const inside = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inside;
  }

  /** Gives whether all of it is literal. */
  #doubleQuoted(add: (part: string) => void): boolean {
    let isLiteral = true;
    this.#at += 1;
    for (;;) {
      const c = this.#text[this.#at];
      if (c === undefined) throw new Unreadable();
      if (c === '"') {
        this.#at += 1;
        return isLiteral;
      }
      const from = this.#at;
      if (c === '\\' && /[$`"\\\n]/.test(this.#text[from + 1] ?? '')) add(this.#escaped());
      else if (c === '$' || c === '`') {
        isLiteral = !this.#expansion() && isLiteral;
        add(this.#text.slice(from, this.#at));
      } else {
        add(c);
        this.#at += 1;
      }
    }
  }

  /** Passes over what begins with `$`, `` ` ``, `<(` or `>(`; false for a dollar sign that is only itself. */
  #expansion(): boolean {
    const { text } = this.#script;
    if (text.startsWith('$((', this.#at)) this.#at = this.#arithmeticEnd(this.#at + 3);
    else if (/^[$<>]\(/.test(text.slice(this.#at, this.#at + 2))) this.#substitution();
    else if (text.startsWith('${', this.#at)) this.#braces();
    else if (text[this.#at] === '`') this.#backticks();
    else {
      const name = /^\$(?:\w+|[@*#?\-$!])/.exec(text.slice(this.#at, this.#at + 256))?.[0];
      this.#at += name?.length ?? 1;
      return name !== undefined;
    }
    return true;
  }

  /** The inside is read by a tokenizer of its own kind, which stops at the parenthesis that closes it. */
  #substitution(): void {
    const start = this.#at + 2;
    const inner = new Tokenizer(sliceFragment(this.#script, start), this.#depth + 1);
    const length = inner.#untilClosed();
    this.#substitutions.push(sliceFragment(this.#script, start, start + length));
    this.#at = start + length + 1;
  }

  #untilClosed(): number {
    let depth = 0;
    let cases = 0;
    for (let seen = 0; this.#at < this.#text.length; ) {
      this.#next();
      for (; seen < this.#tokens.length; seen++) {
        const token = this.#tokens[seen]!;
        if (token.kind === 'word') {
          if (token.isPlain && token.text === 'case') cases += 1;
          else if (token.isPlain && token.text === 'esac' && cases > 0) cases -= 1;
        } else if (token.text === '(') depth += 1;
        else if (token.text === ')') {
          if (depth === 0 && cases === 0) return this.#at - 1;
          if (depth > 0) depth -= 1;
        }
      }
    }
    throw new Unreadable();
  }

  #arithmeticEnd(from: number): number {
    let depth = 0;
    for (let i = from; i < this.#text.length; i++) {
      if (this.#text[i] === '(') depth += 1;
      else if (this.#text[i] === ')') {
        if (depth === 0 && this.#text[i + 1] === ')') return i + 2;
        depth -= 1;
      }
    }
    throw new Unreadable();
  }

  #braces(): void {
    this.#at += 2;
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new Unreadable();
    while (this.#at < this.#text.length) {
      const c = this.#text[this.#at]!;
      if (c === '}') {
        this.#at += 1;
        this.#depth -= 1;
        return;
      }
      if (c === '\\') this.#at += 2;
      else if (c === "'") this.#singleQuoted();
      else if (c === '"') this.#doubleQuoted(() => {});
      else if (c === '$' || c === '`') this.#expansion();
      else this.#at += 1;
    }
    throw new Unreadable();
  }

  #backticks(): void {
    const start = this.#at + 1;
    let i = start;
    while (i < this.#text.length && this.#text[i] !== '`') i += this.#text[i] === '\\' ? 2 : 1;
    if (i >= this.#text.length) throw new Unreadable();
    this.#at = i + 1;
    // With escapes inside, what the inner shell reads is not what stands there.
    const inside = sliceFragment(this.#script, start, i);
    if (!inside.text.includes('\\')) this.#substitutions.push(inside);
  }
}
