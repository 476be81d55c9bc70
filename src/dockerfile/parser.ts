/**
 * A Dockerfile's text into raw instructions: keyword, flags, arguments and heredocs with their places. Unknown keywords
 * pass here and are refused when instructions are made of them, so that all of a file can be looked at.
 */
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import type { Diagnostic } from '../report/diagnostic.ts';
import type { SourceFile, Span } from '../report/source-file.ts';
import type { Directive, EscapeCharacter } from './directives.ts';
import { type RawFlag, scanFlags } from './flags.ts';
import { cutFragment, type Fragment, sliceFragment, spanOf, splitFragment, trimFragment } from './fragment.ts';
import { type Heredoc, heredocWords, readHeredocBody } from './heredoc.ts';
import { jsonStrings } from './json-form.ts';
import { type Comment, Lexer, type LogicalLine } from './lexer.ts';
import { BLANKS, isSpace } from './white-space.ts';
import { blankSeparated, quoteAwareWords } from './words.ts';

export interface RawInstruction {
  /** As written. */
  readonly keyword: Fragment;
  /** The keyword in upper case. */
  readonly name: string;
  readonly flags: readonly RawFlag[];
  /**
   * The arguments by the instruction's shape. ENV and LABEL give three for each pair: key, value, and `=` or (legacy
   * form) an empty text.
   */
  readonly args: readonly Fragment[];
  /** Whether the arguments were a JSON array. */
  readonly json: boolean;
  readonly heredocs: readonly Heredoc[];
  /** The instruction behind ONBUILD; its heredocs stay with ONBUILD. */
  readonly trigger: RawInstruction | undefined;
  /** The whole instruction, lines joined, heredoc bodies left out. */
  readonly text: Fragment;
  /** From keyword to the last argument. */
  readonly span: Span;
  /** 1-based, inclusive, heredoc bodies included; 0 and 0 for what stands behind ONBUILD. */
  readonly lines: { readonly first: number; readonly last: number };
  /** Comment lines above the instruction. */
  readonly comments: readonly Comment[];
}

export interface ParsedDockerfile {
  readonly file: SourceFile;
  readonly directives: readonly Directive[];
  readonly escape: EscapeCharacter;
  readonly instructions: readonly RawInstruction[];
  /** All comment lines between instructions. */
  readonly comments: readonly Comment[];
  readonly warnings: readonly Diagnostic[];
}

interface Arguments {
  readonly args: readonly Fragment[];
  readonly json?: boolean;
  readonly trigger?: RawInstruction;
}
type Shape = (rest: Fragment, escapeCharacter: EscapeCharacter, name: string) => Arguments;

const SHAPES: Readonly<Record<string, Shape>> = {
  ADD: jsonOrWords,
  ARG: (rest, escapeCharacter) => ({ args: quoteAwareWords(rest, escapeCharacter) }),
  CMD: jsonOrText,
  COPY: jsonOrWords,
  ENTRYPOINT: jsonOrText,
  ENV: keyValues,
  EXPOSE: (rest) => ({ args: blankSeparated(rest) }),
  FROM: (rest) => ({ args: blankSeparated(rest) }),
  HEALTHCHECK: healthcheck,
  LABEL: keyValues,
  MAINTAINER: wholeText,
  ONBUILD: onbuild,
  RUN: jsonOrText,
  SHELL: jsonOrText,
  STOPSIGNAL: wholeText,
  USER: wholeText,
  VOLUME: jsonOrWords,
  WORKDIR: wholeText,
};

/** Every keyword of the language, in upper case. */
export const KEYWORDS: readonly string[] = Object.keys(SHAPES);

const TAKES_HEREDOCS: ReadonlySet<string> = new Set(['ADD', 'COPY', 'RUN']);

/**
 * Parses a whole file.
 * @throws BuilderError `dockerfile.syntax` with the place: bad directive, missing `=`, JSON that is not all strings,
 *   unterminated heredoc, a line that is too long, no instructions at all
 */
export function parseDockerfile(file: SourceFile): ParsedDockerfile {
  const lexer = new Lexer(file);
  const instructions: RawInstruction[] = [];
  for (let line = lexer.nextLogicalLine(); line !== undefined; line = lexer.nextLogicalLine()) {
    instructions.push(parseInstructionLine(line, lexer));
  }
  if (instructions.length === 0) {
    throw new BuilderError('dockerfile.syntax', `${file.name} has no instructions`, {
      span: { file, start: 0, end: 0 },
    });
  }
  const { directives, comments, warnings } = lexer;
  return { file, directives, escape: lexer.escape, instructions, comments, warnings };
}

function parseInstructionLine(line: LogicalLine, lexer: Lexer): RawInstruction {
  const head = parseText(line.text, lexer.escape);
  const heredocs = acceptsHeredocs(head) && line.text.text.includes('<<') ? readHeredocs(line.text, lexer) : [];
  return {
    ...head,
    heredocs,
    lines: { first: line.firstLine, last: lexer.line },
    comments: line.comments,
  };
}

/** RUN, COPY and ADD in another form than JSON, bare or directly behind ONBUILD. */
function acceptsHeredocs(instruction: RawInstruction): boolean {
  const owner = instruction.trigger ?? instruction;
  return TAKES_HEREDOCS.has(owner.name) && !owner.json;
}

function readHeredocs(text: Fragment, lexer: Lexer): Heredoc[] {
  try {
    return heredocWords(text.text).map((word) => readHeredocBody(lexer, word, text));
  } catch (error) {
    if (!isBuilderError(error) || error.span !== undefined) throw error;
    throw new BuilderError(error.code, error.message, { cause: error.cause, span: spanOf(text) });
  }
}

function parseText(line: Fragment, escapeCharacter: EscapeCharacter): RawInstruction {
  const text = trimFragment(line);
  const [keyword, after] = splitFragment(text, BLANKS, 2);
  const name = keyword!.text.toUpperCase();
  const scanned = after === undefined ? undefined : scanFlags(after, escapeCharacter);
  const rest = trimFragment(scanned?.rest ?? sliceFragment(text, text.text.length));
  const shape = Object.hasOwn(SHAPES, name) ? SHAPES[name] : undefined;
  const { args, json, trigger } = shape?.(rest, escapeCharacter, name) ?? { args: [sliceFragment(rest, 0, 0)] };
  return {
    keyword: keyword!,
    name,
    flags: scanned?.flags ?? [],
    args,
    json: json ?? false,
    heredocs: [],
    trigger,
    text,
    span: spanOf(text),
    lines: { first: 0, last: 0 },
    comments: [],
  };
}

function wholeText(rest: Fragment): Arguments {
  return { args: rest.text === '' ? [] : [rest] };
}

function jsonOrText(rest: Fragment): Arguments {
  const strings = jsonStrings(rest);
  return strings === undefined ? wholeText(rest) : { args: strings, json: true };
}

function jsonOrWords(rest: Fragment): Arguments {
  const strings = jsonStrings(rest);
  return strings === undefined ? { args: blankSeparated(rest) } : { args: strings, json: true };
}

/** `key=value …`, or the legacy `key rest of the line` when the first word has no `=`. */
function keyValues(rest: Fragment, escapeCharacter: EscapeCharacter, name: string): Arguments {
  const words = quoteAwareWords(rest, escapeCharacter);
  const first = words[0];
  if (first === undefined) return { args: [] };
  if (!first.text.includes('=')) return legacyPair(rest, name);
  return { args: words.flatMap((word) => pair(word)) };
}

function pair(word: Fragment): Fragment[] {
  const [key, value] = cutFragment(word, '=');
  if (value === undefined) {
    throw new BuilderError(
      'dockerfile.syntax',
      `${JSON.stringify(word.text)} has no = (each word must be name=value)`,
      {
        span: spanOf(word),
        hint: 'put quotes around a value that has blanks',
      },
    );
  }
  return [key, value, sliceFragment(word, key.text.length, key.text.length + 1)];
}

function legacyPair(rest: Fragment, name: string): Arguments {
  const [key, value] = splitFragment(rest, BLANKS, 2);
  if (value === undefined) {
    throw new BuilderError('dockerfile.syntax', `${name} needs a name and a value`, {
      span: spanOf(rest),
      hint: `write ${name} ${rest.text}=…`,
    });
  }
  return { args: [key!, value, sliceFragment(rest, rest.text.length)] };
}

function healthcheck(rest: Fragment): Arguments {
  if (rest.text === '') return { args: [] };
  let end = 0;
  while (end < rest.text.length && !isSpace(rest.text[end]!)) end += 1;
  const command = jsonOrText(trimFragment(sliceFragment(rest, end)));
  return { ...command, args: [sliceFragment(rest, 0, end), ...command.args] };
}

/** Chains of ONBUILD are refused later, with a better message; here only their depth is bounded. */
const ONBUILD_CHAIN = /^(?:ONBUILD[\t\v\f\r ]+){8}/i;

function onbuild(rest: Fragment, escapeCharacter: EscapeCharacter): Arguments {
  if (ONBUILD_CHAIN.test(rest.text)) {
    throw new BuilderError('dockerfile.syntax', 'ONBUILD is not allowed behind ONBUILD', { span: spanOf(rest, 0, 7) });
  }
  return rest.text === '' ? { args: [] } : { args: [], trigger: parseText(rest, escapeCharacter) };
}
