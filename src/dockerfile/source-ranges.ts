/**
 * Ranges for editors and diagnostics: keyword, flags, arguments and variables of every instruction. Variables come from
 * dockerfile-ast, which knows where each part of one stands; it misreads some texts, so what does not agree with our own
 * parse is dropped, and nothing here ever reaches the meaning of an instruction.
 */
import { type Instruction as AstInstruction, DockerfileParser, type Variable } from 'dockerfile-ast';
import type { SourceFile, Span } from '../report/source-file.ts';
import { expandText, type VariableUse } from './expand.ts';
import { spanOf } from './fragment.ts';
import type { ParsedDockerfile, RawInstruction } from './parser.ts';

export interface VariableRange {
  readonly name: string;
  /** From `$` to the end. */
  readonly span: Span;
  readonly nameSpan: Span;
}

export interface InstructionRanges {
  readonly instruction: RawInstruction;
  readonly keyword: Span;
  readonly flags: readonly { readonly name: string; readonly span: Span; readonly valueSpan: Span | undefined }[];
  readonly arguments: readonly Span[];
  readonly variables: readonly VariableRange[];
}

/** Ranges of all instructions, in order. Never throws for a file that parses. */
export function sourceRanges(parsed: ParsedDockerfile): InstructionRanges[] {
  const lineStarts = startsOfLines(parsed.file);
  const variables = astVariables(parsed.file, lineStarts);
  return parsed.instructions.map((instruction) => ({
    instruction,
    keyword: spanOf(instruction.keyword),
    flags: instruction.flags.map(({ name, text, value }) => ({
      name,
      span: withClosingQuote(spanOf(text)),
      valueSpan: value === undefined ? undefined : withClosingQuote(spanOf(value)),
    })),
    arguments: (instruction.trigger ?? instruction).args.filter(({ text }) => text !== '').map((arg) => spanOf(arg)),
    variables: agreedVariables(instruction, parsed, variables),
  }));
}

/** Flags are unquoted when they are read, so that a quote at the very end is in none of their characters. */
function withClosingQuote({ file, start, end }: Span): Span {
  return { file, start, end: /^["'](\s|$)/.test(file.text.slice(end, end + 2)) ? end + 1 : end };
}

function startsOfLines({ text }: SourceFile): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

type Range = ReturnType<Variable['getRange']>;

function astVariables(file: SourceFile, lineStarts: readonly number[]): VariableRange[] {
  const place = ({ start, end }: Range): Span => ({
    file,
    start: (lineStarts[start.line] ?? 0) + start.character,
    end: (lineStarts[end.line] ?? 0) + end.character,
  });
  const read = (instruction: AstInstruction): VariableRange[] =>
    instruction.getVariables().map((variable) => ({
      name: variable.getName(),
      span: place(variable.getRange()),
      nameSpan: place(variable.getNameRange()),
    }));
  try {
    return DockerfileParser.parse(file.text).getInstructions().flatMap(read);
  } catch {
    return [];
  }
}

/** Our own reading decides which variables there are; the other parser only refines where their names stand. */
function agreedVariables(
  instruction: RawInstruction,
  parsed: ParsedDockerfile,
  candidates: readonly VariableRange[],
): VariableRange[] {
  const own: VariableRange[] = [];
  for (const { name, start, end } of variablesIn(instruction.text.text, parsed)) {
    const span = spanOf(instruction.text, start, end);
    const known = candidates.find((candidate) => candidate.name === name && candidate.span.start === span.start);
    const nameStart = instruction.text.text[start + 1] === '{' ? start + 2 : start + 1;
    own.push({ name, span, nameSpan: known?.nameSpan ?? spanOf(instruction.text, nameStart, nameStart + name.length) });
  }
  return own.sort((a, b) => a.span.start - b.span.start);
}

/** Only where the builder expands are there variables; a command's own are the shell's. */
function variablesIn(text: string, parsed: ParsedDockerfile): readonly VariableUse[] {
  if (/^(RUN|CMD|ENTRYPOINT|SHELL|HEALTHCHECK|ONBUILD|MAINTAINER)[\t\v\f\r ]/i.test(text)) return [];
  try {
    return expandText(text, (name) => name, { escape: parsed.escape }).variables;
  } catch {
    return [];
  }
}
