/**
 * `--chmod` values: octal (`755`, `04755`) or symbolic (`u=rwX,go=rX`, `g=u`, `+x`). The umask plays no part: a clause
 * without letters before its operator means everybody.
 *
 * @see chmod(1p), "EXTENDED DESCRIPTION"
 */
import { BuilderError } from '../report/builder-error.ts';

/** A parsed `--chmod`. */
export interface ModeChange {
  /** The mode itself when it was given in octal; symbolic changes have none and leave made-up parents at 0755. */
  readonly octal: number | undefined;
  /** The new permission bits (0 … 07777) of something that has `mode`; its type bits are ignored. */
  apply(mode: number, isDirectory: boolean): number;
}

const CLAUSE = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/;
const ACTION = /([-+=])([ugo](?![rwxXst])|[rwxXst]*)/g;
const WHO = { u: 0o4700, g: 0o2070, o: 0o0007, a: 0o7777 } as const;
const BITS = { r: 0o444, w: 0o222, x: 0o111, s: 0o6000, t: 0o1000 } as const;

interface Action {
  readonly who: number;
  readonly operator: string;
  readonly permissions: string;
}

/** @throws `copy.invalid` for anything that is neither octal up to 7777 nor a symbolic mode */
export function parseModeChange(text: string): ModeChange {
  if (/^[0-7]{1,5}$/.test(text)) {
    const octal = Number.parseInt(text, 8);
    if (octal <= 0o7777) return { octal, apply: () => octal };
  }
  const actions = text.split(',').flatMap((clause) => parseClause(clause, text));
  return {
    octal: undefined,
    apply: (mode, isDirectory) => actions.reduce((now, action) => change(now, action, isDirectory), mode & 0o7777),
  };
}

function parseClause(clause: string, text: string): Action[] {
  const match = CLAUSE.exec(clause);
  if (match === null) {
    throw new BuilderError('copy.invalid', `cannot use ${JSON.stringify(text)} as a mode`, {
      hint: 'give an octal mode such as 755 or a symbolic one such as u=rwX,go=rX',
    });
  }
  const letters = match[1] === '' ? 'a' : match[1]!;
  let who = 0;
  for (const letter of letters) who |= WHO[letter as keyof typeof WHO];
  return [...match[2]!.matchAll(ACTION)].map(([, operator, permissions]) => ({
    who,
    operator: operator!,
    permissions: permissions!,
  }));
}

function change(mode: number, action: Action, isDirectory: boolean): number {
  const bits = bitsOf(action.permissions, mode, isDirectory) & (action.who | stickyFor(action.who));
  if (action.operator === '+') return mode | bits;
  if (action.operator === '-') return mode & ~bits;
  return (mode & ~action.who) | bits;
}

/** The sticky bit belongs to no class; it may be set with `t` whoever is named. */
function stickyFor(who: number): number {
  return who === 0 ? 0 : 0o1000;
}

function bitsOf(permissions: string, mode: number, isDirectory: boolean): number {
  if (permissions === 'u' || permissions === 'g' || permissions === 'o') {
    const triple = (mode >> (permissions === 'u' ? 6 : permissions === 'g' ? 3 : 0)) & 0o7;
    return triple * 0o111;
  }
  let bits = 0;
  for (const letter of permissions) {
    if (letter !== 'X') bits |= BITS[letter as keyof typeof BITS];
    else if (isDirectory || (mode & 0o111) !== 0) bits |= 0o111;
  }
  return bits;
}
