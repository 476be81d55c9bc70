/** Whose the copies are, which mode and which time they get: the flags of COPY, ADD, `copy` and `add` as one rule. */
import { BuilderError } from '../report/builder-error.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import { type FileStat, S_IFDIR, S_IFMT } from '../sys/libc.ts';
import { type ModeChange, parseModeChange } from './copy-mode.ts';
import type { CopyAttributes } from './copy-target.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface CopyRulesOptions {
  /** `user[:group]`, numbers or names; a lone number names the group of the same number. Default 0:0. */
  readonly chown?: string | Owner | undefined;
  /** Finds names, in the passwd and group files of the root filesystem; asked only when `chown` holds a name. */
  readonly resolveOwner?: ((chown: string) => Owner) | undefined;
  /** Keeps the owners of the sources where `chown` says nothing. */
  readonly preserveOwnership?: boolean | undefined;
  /** Octal or symbolic, see `parseModeChange`. */
  readonly chmod?: string | undefined;
  /** Forces the mtime of everything new. */
  readonly timestamp?: Timestamp | undefined;
}

export interface CopyRules {
  readonly attributesOf: (stat: FileStat) => CopyAttributes;
  /** Of directories made on the way to the destination: 0755 or the octal mode asked for, owned by `chown` or root. */
  readonly parents: CopyAttributes;
  /** The owner forced on everything; undefined without `chown`. */
  readonly owner: Owner | undefined;
  readonly timestamp: Timestamp | undefined;
}

/** Largest id; the one above means "leave as it is" to the kernel. */
const MAX_ID = 0xfffffffe;

/** @throws `copy.invalid` for a chown or chmod that cannot be understood */
export function copyRules(o: CopyRulesOptions): CopyRules {
  const owner = ownerOf(o);
  const change: ModeChange | undefined = o.chmod === undefined ? undefined : parseModeChange(o.chmod);
  const { timestamp } = o;
  const attributesOf = (stat: FileStat): CopyAttributes => {
    const { uid, gid } = owner ?? (o.preserveOwnership === true ? stat : ROOT);
    const isDirectory = (stat.mode & S_IFMT) === S_IFDIR;
    const mode = change === undefined ? stat.mode & 0o7777 : change.apply(stat.mode, isDirectory);
    return { mode, uid, gid, mtime: timestamp ?? stat.mtime };
  };
  const parents = { ...(owner ?? ROOT), mode: change?.octal ?? 0o755, mtime: timestamp };
  return { attributesOf, parents, owner, timestamp };
}

const ROOT: Owner = { uid: 0, gid: 0 };
const NUMERIC = /^(\d{1,10})(?::(\d{1,10}))?$/;

function ownerOf({ chown, resolveOwner }: CopyRulesOptions): Owner | undefined {
  if (chown === undefined || typeof chown === 'object') return chown;
  const match = NUMERIC.exec(chown);
  if (match === null) {
    if (resolveOwner !== undefined && chown !== '') return resolveOwner(chown);
    throw new BuilderError('copy.invalid', `cannot use ${JSON.stringify(chown)} as an owner`, {
      hint: 'give user[:group] as numbers',
    });
  }
  const uid = Number(match[1]);
  const gid = match[2] === undefined ? uid : Number(match[2]);
  if (uid <= MAX_ID && gid <= MAX_ID) return { uid, gid };
  throw new BuilderError('copy.invalid', `cannot use ${JSON.stringify(chown)} as an owner: ids end at ${MAX_ID}`);
}
