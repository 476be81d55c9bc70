/** Shell words without a shell: blanks separate, quotes and backslash protect, nothing is expanded. */
import { BuilderError } from '../report/builder-error.ts';

/**
 * @throws `usage.invalid` for an unclosed quote or a trailing backslash
 * @see POSIX.1-2017, Shell Command Language, 2.2 Quoting
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: '"' | "'" | undefined;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (quote === undefined && /\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= '';
    if (quote === undefined && (c === '"' || c === "'")) {
      quote = c;
    } else if (c === quote) {
      quote = undefined;
    } else if (c === '\\' && quote !== "'") {
      const next = text[i + 1];
      if (next === undefined) throw unclosed(text);
      // Inside double quotes a backslash protects only these; elsewhere it stays.
      if (quote === '"' && !'"\\$`'.includes(next)) word += c;
      word += next;
      i += 1;
    } else {
      word += c;
    }
  }
  if (quote !== undefined) throw unclosed(text);
  if (word !== undefined) words.push(word);
  return words;
}

/** The word as a shell reads it back: quoted where it must be. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function unclosed(text: string): BuilderError {
  return new BuilderError(
    'usage.invalid',
    `cannot split ${JSON.stringify(text)} into words: a quote or backslash is not closed`,
  );
}
