/** History texts in Buildah's manner, and the line that is shown while a step works. */
import { summarizeHeredoc } from './heredoc.ts';
import type { RawInstruction } from './parser.ts';

/** What follows `STEP 2/3: `. */
export function stepText(raw: RawInstruction): string {
  return raw.text.text + raw.heredocs.map((heredoc) => ` (${summarizeHeredoc(heredoc)})`).join('');
}

/** History of an instruction that runs nothing. */
export function noOperation(line: string): string {
  return `/bin/sh -c #(nop) ${line}`;
}

/** `|2 A=1 B=2 /bin/sh -c text`, heredoc bodies behind the text. */
export function runHistory(
  raw: RawInstruction,
  shell: readonly string[],
  args: readonly { name: string; value: string }[],
): string {
  const prefix =
    args.length === 0 ? '' : `|${args.length} ${args.map(({ name, value }) => `${name}=${value}`).join(' ')} `;
  const bodies = raw.heredocs.map(({ content, name }) => `\n${content}${name}`).join('');
  return `${prefix}${shell.join(' ')} ${argumentText(raw)}${bodies}`;
}

/** The instruction's text behind the keyword, flags included. */
function argumentText(raw: RawInstruction): string {
  return raw.text.text.slice(raw.keyword.text.length).trim();
}
