/** Colour by meaning. A sign or a word always says the same, so that nothing is lost without colour. */
import type { Output } from './output.ts';

type Paint = (text: string) => string;

export interface Style {
  readonly good: Paint;
  readonly bad: Paint;
  readonly warning: Paint;
  readonly path: Paint;
  readonly faint: Paint;
  readonly strong: Paint;
  readonly signs: {
    readonly done: string;
    readonly failed: string;
    readonly running: string;
    readonly ellipsis: string;
    /** Between facts on one line. */
    readonly separator: string;
  };
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `--color` beats NO_COLOR beats FORCE_COLOR and CLICOLOR_FORCE beats TERM=dumb beats whether the stream is a terminal.
 */
export function hasColor(output: Pick<Output, 'isTty'>, env: Environment, flag: string | undefined): boolean {
  if (flag === 'always') return true;
  if (flag === 'never') return false;
  if (isSet(env['NO_COLOR'])) return false;
  if (isForced(env['FORCE_COLOR']) || isForced(env['CLICOLOR_FORCE'])) return true;
  if (env['TERM'] === 'dumb') return false;
  return output.isTty;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}

function isForced(value: string | undefined): boolean {
  return isSet(value) && value !== '0' && value !== 'false';
}

const UNICODE = { done: '✔', failed: '✘', running: '●', ellipsis: '…', separator: ' · ' };
const ASCII = { done: '+', failed: 'x', running: '*', ellipsis: '...', separator: ', ' };

/** The style for one stream. Signs are ASCII where the locale is not UTF-8. */
export function styleFor(output: Pick<Output, 'isTty'>, env: Environment, flag: string | undefined): Style {
  const color = hasColor(output, env, flag);
  const paint = (code: number, off: number): Paint =>
    color ? (text) => `\x1b[${code}m${text}\x1b[${off}m` : (text) => text;
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return {
    good: paint(32, 39),
    bad: paint(31, 39),
    warning: paint(33, 39),
    path: paint(36, 39),
    faint: paint(2, 22),
    strong: paint(1, 22),
    signs: /utf-?8/i.test(locale) ? UNICODE : ASCII,
  };
}
