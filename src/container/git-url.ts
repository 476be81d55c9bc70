/**
 * Git sources as ADD spells them: `git@host:path`, `ssh://`, `git://`, or http(s) with a path that ends in `.git`; the
 * place in the repository as a fragment (`#ref:subdir`) or as a query (`?ref=…&subdir=…`).
 *
 * @see Dockerfile reference, "Adding files from a Git repository"
 */
import { BuilderError } from '../report/builder-error.ts';

export interface GitUrl {
  /** What git is given: without fragment and query. */
  readonly remote: string;
  /** Full ref, short name or commit; undefined is the remote's HEAD. */
  readonly ref: string | undefined;
  /** Below the top of the repository, no leading slash, no `..`; '' is the top. */
  readonly subdirectory: string;
  /** Beginning of the commit's name that has to come out. */
  readonly checksum: string | undefined;
  readonly keepGitDirectory: boolean | undefined;
  readonly submodules: boolean;
  /** Files get the time of the commit instead of that of the copy. */
  readonly usesCommitTime: boolean;
  /** The commit is asked for by its name, not by a ref. */
  readonly fetchesByCommit: boolean;
}

const SCP_LIKE = /^[a-zA-Z0-9][\w.-]*@[a-zA-Z0-9][\w.-]*:(?!\/\/).+/;
const KEYS = [
  'ref',
  'tag',
  'branch',
  'subdir',
  'checksum',
  'commit',
  'keep-git-dir',
  'submodules',
  'mtime',
  'fetch-by-commit',
];

function invalid(text: string, why: string): BuilderError {
  return new BuilderError(
    'copy.invalid',
    `cannot use ${JSON.stringify(text.replace(/\/\/[^/@]*@/, '//'))} as a git source: ${why}`,
  );
}

/** Whether ADD takes `text` for a git source. */
export function isGitUrl(text: string): boolean {
  if (/^(?:ssh|git):\/\//.test(text) || SCP_LIKE.test(text)) return true;
  return /^https?:\/\//.test(text) && /\.git$/.test(text.replace(/[?#].*$/s, ''));
}

/** @throws `copy.invalid` for unknown or contradicting parts, unsafe refs, and subdirectories that lead out */
export function parseGitUrl(text: string): GitUrl {
  if (!isGitUrl(text)) throw invalid(text, 'it is neither git@host:path, ssh://, git:// nor a path that ends in .git');
  const [beforeFragment = '', ...rest] = text.split('#');
  const fragment = rest.join('#');
  const question = beforeFragment.indexOf('?');
  const remote = question === -1 ? beforeFragment : beforeFragment.slice(0, question);
  if (/[\x00-\x20\x7f]/.test(remote)) throw invalid(text, 'it has a space or control character');
  if (/^[a-z]+:\/\/(?:[^/]*@)?-/.test(remote) || remote.startsWith('-'))
    throw invalid(text, 'its host begins with a dash');
  const query = question === -1 ? new Map<string, string>() : queryOf(text, beforeFragment.slice(question + 1));
  const colon = fragment.indexOf(':');
  const fragmentRef = colon === -1 ? fragment : fragment.slice(0, colon);
  const fragmentDirectory = colon === -1 ? '' : fragment.slice(colon + 1);
  const ref = oneOf(text, 'ref', [
    fragmentRef,
    query.get('ref'),
    prefixed('refs/tags/', query.get('tag')),
    prefixed('refs/heads/', query.get('branch')),
  ]);
  const checksum = oneOf(text, 'checksum', [query.get('checksum'), query.get('commit')]);
  const fetchesByCommit = flag(text, 'fetch-by-commit', query) ?? false;
  if (checksum !== undefined && !/^[0-9a-f]{7,64}$/.test(checksum)) throw invalid(text, 'its checksum is no commit');
  if (fetchesByCommit && checksum?.length !== 40 && checksum?.length !== 64) {
    throw invalid(text, 'fetch-by-commit needs the whole name of a commit');
  }
  if (ref !== undefined) requireSafeRef(text, ref);
  return {
    remote,
    ref,
    subdirectory: subdirectoryOf(text, oneOf(text, 'subdir', [fragmentDirectory, query.get('subdir')]) ?? ''),
    checksum,
    keepGitDirectory: flag(text, 'keep-git-dir', query),
    submodules: flag(text, 'submodules', query) ?? true,
    usesCommitTime: usesCommitTime(text, query.get('mtime')),
    fetchesByCommit,
  };
}

/**
 * The same place at one commit, which is asked for by its name.
 * @param commit its whole name. @throws `blob.digest-mismatch` when the URL wants another
 */
export function atCommit(url: GitUrl, commit: string | undefined): GitUrl {
  if (commit === undefined) return url;
  if (url.checksum === undefined || commit.startsWith(url.checksum)) {
    return { ...url, checksum: commit, fetchesByCommit: true };
  }
  throw new BuilderError(
    'blob.digest-mismatch',
    `cannot use ${url.remote.replace(/\/\/[^/@]*@/, '//')} at commit ${commit}: its checksum is ${url.checksum}`,
    { facts: { expected: commit, actual: url.checksum } },
  );
}

function queryOf(text: string, query: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query)) {
    if (!KEYS.includes(key)) throw invalid(text, `${JSON.stringify(key)} is not known; it may be ${KEYS.join(', ')}`);
    if (values.has(key) && values.get(key) !== value) throw invalid(text, `${key} is given twice`);
    values.set(key, value);
  }
  return values;
}

function prefixed(prefix: string, name: string | undefined): string | undefined {
  if (name === undefined || name === '') return undefined;
  return name.startsWith(prefix) ? name : prefix + name;
}

function oneOf(text: string, what: string, values: readonly (string | undefined)[]): string | undefined {
  const given = [...new Set(values.filter((value) => value !== undefined && value !== ''))];
  if (given.length > 1) throw invalid(text, `it says two things about the ${what}: ${given.join(' and ')}`);
  return given[0];
}

function flag(text: string, key: string, query: ReadonlyMap<string, string>): boolean | undefined {
  const value = query.get(key);
  if (value === undefined) return undefined;
  if (['', '1', 'true'].includes(value)) return true;
  if (['0', 'false'].includes(value)) return false;
  throw invalid(text, `${key} is true or false, not ${JSON.stringify(value)}`);
}

function usesCommitTime(text: string, mtime: string | undefined): boolean {
  if (mtime === undefined || mtime === 'checkout') return false;
  if (mtime === 'commit') return true;
  throw invalid(text, `mtime is checkout or commit, not ${JSON.stringify(mtime)}`);
}

/** What git accepts as a name and cannot take for an option or a range. @see git-check-ref-format(1) */
function requireSafeRef(text: string, ref: string): void {
  const isSafe = !/^[-/]|\.\.|\/\/|@\{|[\x00-\x20\x7f~^:?*[\\]|\/$|\.$|\.lock$/.test(ref);
  if (!isSafe) throw invalid(text, `${JSON.stringify(ref)} is not the name of a ref`);
}

function subdirectoryOf(text: string, path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || path.includes('\0')) throw invalid(text, 'its subdirectory leads out of the repository');
  return parts.join('/');
}
