/** How steps end, and what they spend their time with. */

export type StepOutcome = 'ran' | 'cached' | 'failed' | 'canceled';

/** What takes time in a build. */
export type PhaseName =
  | 'pull'
  | 'unpack'
  | 'prepare'
  | 'mount'
  | 'copy'
  | 'run'
  | 'seal'
  | 'commit'
  | 'push'
  | 'export';
