/** `WWW-Authenticate` headers, read with the grammar of RFC 9110 §11.6.1 rather than by searching for words. */

export interface Challenge {
  /** Lower case: `bearer`, `basic`, … */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const SPACE = /^[ \t]*/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+/;
const QUOTED = /^"((?:[^"\\]|\\.)*)"/;
/** Hostile headers are cut by the HTTP parser at 16 KiB; this bounds the list. */
const MAX_CHALLENGES = 16;

/** Every challenge in the header, in order; text that is no challenge ends the list. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let rest = header;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    const match = pattern.exec(rest);
    if (match !== null) rest = rest.slice(match[0].length);
    return match;
  };
  while (challenges.length < MAX_CHALLENGES) {
    while (/^[ \t,]/.test(rest)) rest = rest.slice(1);
    const word = take(TOKEN)?.[0];
    if (word === undefined) return challenges;
    take(SPACE);
    if (!rest.startsWith('=')) {
      challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
      continue;
    }
    const current = challenges.at(-1);
    if (current === undefined) return challenges;
    rest = rest.slice(1);
    take(SPACE);
    const quoted = take(QUOTED);
    const value = quoted === null ? take(TOKEN)?.[0] : quoted[1]!.replace(/\\(.)/g, '$1');
    if (value === undefined) return challenges;
    // The first of two equal parameters counts, so that nothing appended to a header can replace it.
    if (!current.parameters.has(word.toLowerCase())) current.parameters.set(word.toLowerCase(), value);
  }
  return challenges;
}
