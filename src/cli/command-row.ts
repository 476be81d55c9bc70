/** How commands are written down: rows with defaults, and the usual rules for their words. */
import type { Command, Positionals } from './command.ts';

type Row = Pick<Command, 'name' | 'summary' | 'usage' | 'positionals' | 'examples' | 'load'> & Partial<Command>;

export const MANY = Number.POSITIVE_INFINITY;
export const NO_CONTAINER = 'container ID must be specified';
export const TOO_MANY = 'too many arguments specified';

export const refuse = (min: number, max: number, few?: string, many?: string): Positionals => ({
  min,
  max,
  dashes: 'refuse',
  ...(few === undefined ? {} : { few }),
  ...(many === undefined ? {} : { many }),
});
export const words = (min: number, max: number, few?: string, many?: string): Positionals => ({
  ...refuse(min, max, few, many),
  dashes: 'words',
});
export const none = (name: string): Positionals =>
  words(0, 0, undefined, `'slipway ${name}' does not accept arguments`);

export const row = (r: Row): Command => ({ aliases: [], interspersed: false, options: [], hidden: false, ...r });
