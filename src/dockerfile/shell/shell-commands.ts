/**
 * The simple commands of a shell script, in order, those of conditions, loops and substitutions among them. This is no
 * parser of the whole grammar: it tells which programs are called with which words, and says so when it cannot.
 * @see POSIX.1-2017, Shell Command Language, 2.9.1 Simple Commands
 */
import type { Span } from '../../report/source-file.ts';
import { type Fragment, spanOf } from '../fragment.ts';
import { type ShellToken, type ShellWord, tokenizeShell } from './shell-tokens.ts';

export type { ShellWord } from './shell-tokens.ts';

export interface ShellCommand {
  /** Program and arguments; redirections and assignments in front are taken out. Never empty. */
  readonly words: readonly ShellWord[];
  /** `NAME=value` in front of the command, or of nothing. */
  readonly assignments: readonly ShellWord[];
  /** From the first word to the last. */
  readonly span: Span;
  /** Its output goes into another command's input. */
  readonly isPiped: boolean;
  /** Stands in a substitution. */
  readonly isNested: boolean;
}

/** In front of a command, without being one. */
const LEADING: ReadonlySet<string> = new Set(['!', '{', 'if', 'then', 'else', 'elif', 'while', 'until', 'do', 'time']);
/** Commands of their own as far as words go: nothing that follows belongs to them. */
const CLOSING: ReadonlySet<string> = new Set(['}', 'fi', 'done', 'esac']);

/** Undefined for a text that cannot be read. */
export function shellCommands(script: Fragment, isNested = false): readonly ShellCommand[] | undefined {
  const tokenized = tokenizeShell(script);
  if (tokenized === undefined) return undefined;
  const commands = [...new Reader(tokenized.tokens, isNested).read()];
  for (const inner of tokenized.substitutions) {
    const nested = shellCommands(inner, true);
    if (nested === undefined) return undefined;
    commands.push(...nested);
  }
  return commands;
}

class Reader {
  readonly #tokens: readonly ShellToken[];
  readonly #isNested: boolean;
  #at = 0;
  /** One entry for each open `case`; true while its patterns are read. */
  readonly #cases: boolean[] = [];

  constructor(tokens: readonly ShellToken[], isNested: boolean) {
    this.#tokens = tokens;
    this.#isNested = isNested;
  }

  *read(): Generator<ShellCommand> {
    while (this.#at < this.#tokens.length) {
      if (this.#cases.at(-1) === true) this.#pattern();
      else yield* this.#command();
    }
  }

  /** Passes over a pattern of `case` up to its parenthesis, or over the end of the `case`. */
  #pattern(): void {
    while (this.#at < this.#tokens.length) {
      const token = this.#tokens[this.#at++]!;
      if (token.kind === 'word' && token.isPlain && token.text === 'esac') {
        this.#cases.pop();
        return;
      }
      if (token.kind === 'operator' && token.text === ')') {
        this.#cases[this.#cases.length - 1] = false;
        return;
      }
    }
  }

  *#command(): Generator<ShellCommand> {
    const words: ShellWord[] = [];
    const assignments: ShellWord[] = [];
    for (; this.#at < this.#tokens.length; this.#at++) {
      const token = this.#tokens[this.#at]!;
      if (token.kind === 'operator') {
        if (this.#redirection(token.text, words)) continue;
        if (this.#functionName(token.text, words)) words.length = 0;
        this.#at += 1;
        if (/^;(;&?|&)$/.test(token.text) && this.#cases.length > 0) this.#cases[this.#cases.length - 1] = true;
        yield* this.#finish(words, assignments, token.text);
        return;
      }
      if (words.length > 0) words.push(token);
      else if (token.isPlain && this.#reserved(token.text)) {
        if (this.#cases.at(-1) === true) return;
      } else if (/^[A-Za-z_]\w*\+?=/.test(token.fragment.text)) assignments.push(token);
      else words.push(token);
    }
    yield* this.#finish(words, assignments, '');
  }

  *#finish(words: readonly ShellWord[], assignments: readonly ShellWord[], end: string): Generator<ShellCommand> {
    const first = words[0] ?? assignments[0];
    if (first === undefined) return;
    const start = spanOf(first.fragment);
    const last = spanOf((words.at(-1) ?? assignments.at(-1))!.fragment);
    const isPiped = end === '|' || end === '|&';
    const span = { ...start, end: last.end };
    yield { words, assignments, span, isPiped, isNested: this.#isNested };
  }

  /** Passes over an operator and its target; a number right before it is the descriptor. */
  #redirection(operator: string, words: ShellWord[]): boolean {
    if (!/[<>]/.test(operator)) return false;
    const last = words.at(-1);
    if (last !== undefined && /^\d+$/.test(last.fragment.text) && this.#touches(last.fragment)) words.pop();
    if (this.#tokens[this.#at + 1]?.kind === 'word') this.#at += 1;
    return true;
  }

  #touches(before: Fragment): boolean {
    return spanOf(before).end === spanOf(this.#tokens[this.#at]!.fragment).start;
  }

  #functionName(operator: string, words: readonly ShellWord[]): boolean {
    const next = this.#tokens[this.#at + 1];
    return operator === '(' && words.length === 1 && next?.kind === 'operator' && next.text === ')';
  }

  /** Handles a reserved word in front of a command; false for any other word. */
  #reserved(text: string): boolean {
    if (text === 'esac') this.#cases.pop();
    if (LEADING.has(text) || CLOSING.has(text)) return true;
    if (text === 'case') this.#openCase();
    else if (text === 'for' || text === 'select')
      this.#skipTo((token) => token.kind === 'operator' || token.text === 'do');
    else if (text === '[[') this.#skipTo((token) => token.kind === 'word' && token.text === ']]');
    else if (text === 'function') this.#at += 1;
    else return false;
    return true;
  }

  #openCase(): void {
    this.#skipTo((token) => token.kind === 'word' && token.isPlain && token.text === 'in');
    this.#at += 1;
    this.#cases.push(true);
  }

  /** Stops on the token before the one wanted when that is an operator or `do`, on it otherwise. */
  #skipTo(isWanted: (token: ShellToken) => boolean): void {
    while (this.#at + 1 < this.#tokens.length) {
      const next = this.#tokens[this.#at + 1]!;
      if (isWanted(next)) {
        if (next.kind === 'word' && next.text !== 'do') this.#at += 1;
        return;
      }
      this.#at += 1;
    }
  }
}
