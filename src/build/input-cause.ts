/** One input of a key that differs, in words. Pure. */
import type { Cause } from '../report/explanation.ts';
import { ARGUMENT, CONTENT, INSTRUCTION, VARIABLE } from './step-inputs.ts';

/** Characters of a value that are shown. */
const MOST_SHOWN = 72;

/** @param before undefined: the earlier run did not have it. @param after undefined: it has gone */
export function inputCause(name: string, before: string | undefined, after: string | undefined): Cause {
  const facts = {
    kind: 'input' as const,
    name,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  };
  if (name === CONTENT || name.startsWith('content of ')) {
    return { kind: 'input', name, text: name === CONTENT ? 'the files it copies changed' : `the ${name} changed` };
  }
  if (before === undefined) return { ...facts, text: `${name} is new: ${cut(shown(name, after!))}` };
  if (after === undefined) return { ...facts, text: `${name} is gone, it was: ${cut(shown(name, before))}` };
  const [from, to] = aroundChange(shown(name, before), shown(name, after));
  const isWords = name === INSTRUCTION || name === 'command' || name === 'script';
  return { ...facts, text: `${name}${isWords || name.startsWith(VARIABLE) ? ' changed' : ''}: ${from} → ${to}` };
}

/** A command is kept as the list of its words: the shell's script is the last one. */
function shown(name: string, value: string): string {
  if (name !== 'command') return name.startsWith(ARGUMENT) && value === '' ? "''" : value;
  const words = JSON.parse(value) as string[];
  const isShell = words.length === 3 && words[1] === '-c';
  return isShell ? words[2]! : words.join(' ');
}

/** Both texts, cut so that the first place where they differ can be seen. */
function aroundChange(before: string, after: string): [string, string] {
  const [a, b] = [oneLine(before), oneLine(after)];
  if (a.length <= MOST_SHOWN && b.length <= MOST_SHOWN) return [quoted(a), quoted(b)];
  let same = 0;
  while (same < a.length && same < b.length && a[same] === b[same]) same++;
  const from = Math.max(0, same - 16);
  return [window(a, from), window(b, from)];
}

function window(text: string, from: number): string {
  const part = text.slice(from, from + MOST_SHOWN);
  return `${from > 0 ? '…' : ''}${part}${from + MOST_SHOWN < text.length ? '…' : ''}`;
}

const cut = (text: string): string => window(oneLine(text), 0);
const oneLine = (text: string): string => text.replaceAll('\n', '↵');
const quoted = (text: string): string => (text === '' ? '(empty)' : text);
