/** Heredocs: finding their words in an instruction and collecting their bodies. */
import { BuilderError } from '../report/builder-error.ts';
import type { Span } from '../report/source-file.ts';
import { ExpansionError, expandText } from './expand.ts';
import { type Fragment, FragmentBuilder, fragmentOf, spanOf } from './fragment.ts';
import type { Lexer } from './lexer.ts';
import { withoutCarriageReturns } from './white-space.ts';

/** The `<<word` part, without a body. */
export interface HeredocWord {
  /** The delimiter, unquoted; also the file name in COPY and ADD. */
  readonly name: string;
  /** The number before `<<`; 0 when there is none. */
  readonly fileDescriptor: number;
  /** False when any part of the delimiter was quoted: the body is then taken literally. */
  readonly expand: boolean;
  /** `<<-`: leading tabs of body and delimiter line do not count. */
  readonly stripTabs: boolean;
}

export interface Heredoc extends HeredocWord {
  /** The body as written, newline of its last line included; tabs are not stripped yet. */
  readonly content: string;
  /** Of the body, delimiter line excluded. */
  readonly span: Span;
}

const SHAPE = /^(\d*)<<(-?)[\t\n\f\r ]*([^<]*)$/;
const unset = () => undefined;

/** Reads one word as a heredoc opener; undefined when it is none, nor when its delimiter has an open quote. */
export function parseHeredocWord(word: string): HeredocWord | undefined {
  try {
    return readHeredocWord(word);
  } catch (error) {
    if (error instanceof ExpansionError) return undefined;
    throw error;
  }
}

/** @throws ExpansionError */
function readHeredocWord(word: string): HeredocWord | undefined {
  const match = SHAPE.exec(word);
  const rest = match?.[3];
  if (rest === undefined || rest === '') return undefined;
  const options = { escape: '\\', keepUnset: true } as const;
  const plain = expandText(rest, unset, options).words;
  if (plain.length !== 1) return undefined;
  const quoted = expandText(rest, unset, { ...options, keepQuotes: true }).words;
  return {
    name: plain[0]!,
    fileDescriptor: match![1] === '' ? 0 : Number(match![1]),
    expand: countQuotes(plain[0]!) === countQuotes(quoted[0] ?? ''),
    stripTabs: match![2] === '-',
  };
}

function countQuotes(text: string): number {
  return text.match(/['"]/g)?.length ?? 0;
}

/** All heredoc openers of a line, in order. A line that no shell could split has none. */
export function heredocWords(line: string): HeredocWord[] {
  let words: readonly string[];
  try {
    words = expandText(line, unset, { escape: '\\', keepQuotes: true, keepEscapes: true, keepUnset: true }).words;
  } catch {
    return [];
  }
  const found: HeredocWord[] = [];
  for (const word of words) {
    const heredoc = tryHeredocWord(word);
    if (heredoc !== undefined) found.push(heredoc);
  }
  return found;
}

function tryHeredocWord(word: string): HeredocWord | undefined {
  try {
    return readHeredocWord(word);
  } catch (error) {
    throw new BuilderError('dockerfile.syntax', `cannot read the heredoc delimiter in ${JSON.stringify(word)}`, {
      cause: error,
    });
  }
}

/** Reads the body of one heredoc. @throws BuilderError `dockerfile.syntax` when its delimiter never comes */
export function readHeredocBody(lexer: Lexer, word: HeredocWord, opener: Fragment): Heredoc {
  let content = '';
  let start: number | undefined;
  for (let line = lexer.nextPhysicalLine(); line !== undefined; line = lexer.nextPhysicalLine()) {
    start ??= line.start;
    const text = withoutCarriageReturns(line.text);
    if ((word.stripTabs ? text.replace(/^\t+/, '') : text) === word.name) {
      return { ...word, content, span: { file: opener.file, start, end: line.start } };
    }
    content += line.raw;
  }
  throw new BuilderError('dockerfile.syntax', `unterminated heredoc: no line ${JSON.stringify(word.name)} follows`, {
    span: openerSpan(opener, word.name),
    hint: 'the delimiter must stand alone on its line',
  });
}

function openerSpan(opener: Fragment, name: string): Span {
  const at = opener.text.indexOf('<<');
  const end = opener.text.indexOf(name, at);
  return at === -1 ? spanOf(opener) : spanOf(opener, at, end === -1 ? opener.text.length : end + name.length);
}

/** The body as the reader of the heredoc gets it: `<<-` loses the tabs at the start of each line. */
export function heredocText(heredoc: Heredoc): string {
  return heredoc.stripTabs ? heredoc.content.replace(/^\t+/gm, '') : heredoc.content;
}

/** `heredocText` with the place of every character. */
export function heredocBody(heredoc: Heredoc): Fragment {
  const { file, start, end } = heredoc.span;
  const written = fragmentOf(file, start, end);
  if (!heredoc.stripTabs) return written;
  const body = new FragmentBuilder(file);
  let at = start;
  for (const line of written.text.split(/(?<=\n)/)) {
    const kept = line.replace(/^\t+/, '');
    body.append(kept, at + line.length - kept.length);
    at += line.length;
  }
  return body.build(start);
}

/** First line of the body for display, with `...` when there are more. */
export function summarizeHeredoc(heredoc: Heredoc): string {
  const lines = heredoc.content.trim().split(/\r?\n/);
  return lines.length > 1 ? `${lines[0]}...` : lines[0]!;
}
