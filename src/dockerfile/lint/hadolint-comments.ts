/** Comments that speak to hadolint, understood here too: `# hadolint ignore=DL3008,DL3015`. */

/** What a comment switches off, and where. */
export interface HadolintComment {
  /** The instruction below it, the stage that begins below it, or the whole file. */
  readonly scope: 'instruction' | 'stage' | 'file';
  readonly rules: readonly string[];
}

const SHAPE =
  /^hadolint[ \t]+(?:(stage|global)[ \t]+)?ignore[ \t]*=[ \t]*([A-Za-z0-9]+(?:[ \t]*,[ \t]*[A-Za-z0-9]+)*)[ \t]*(?:#.*)?$/;

/** @param text a comment without `#` and outer blanks; undefined for one that says something else */
export function parseHadolintComment(text: string): HadolintComment | undefined {
  const match = SHAPE.exec(text);
  if (match === null) return undefined;
  const scope = match[1] === 'stage' ? 'stage' : match[1] === 'global' ? 'file' : 'instruction';
  return { scope, rules: match[2]!.split(',').map((rule) => rule.trim()) };
}
