/** The shape of source arguments: wildcards, escapes, `..`, the `/./` pivot. @see Go filepath.Match */
import { closeSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { type ByteString, byteString, bytesOf, textOf } from '../rootfs/copy-walk.ts';
import { compileGlob, hasWildcard, type PathPattern, unescapePattern } from '../spec/path-pattern.ts';
import { errnoOf } from '../sys/libc.ts';
import { listDirectory, type RootDirectory } from '../sys/root-directory.ts';

/** @throws `copy.invalid` for a malformed pattern */
export function globOf(pattern: string): PathPattern {
  const glob = compileGlob(pattern);
  if (glob !== undefined) return glob;
  throw new BuilderError('copy.invalid', `cannot use ${JSON.stringify(pattern)} as a pattern: it is malformed`);
}

const toBytes = (text: string): ByteString => byteString(Buffer.from(text));

/** Components without empty ones and `.`; `..` goes up and stops at the root. */
function componentsOf(pattern: string): string[] {
  const parts: string[] = [];
  for (const part of pattern.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

/** The path a pattern without wildcards names. A file whose name really has the backslash comes first. */
export function literalPath(
  o: { readonly root: RootDirectory; readonly allowWildcard?: boolean | undefined },
  pattern: string,
): ByteString {
  const plain = toBytes(componentsOf(pattern).join('/'));
  if (!pattern.includes('\\') || o.allowWildcard === false) return plain;
  if (plain !== '' && o.root.stat(bytesOf(plain)) !== undefined) return plain;
  return toBytes(componentsOf(pattern).map(unescapePattern).join('/'));
}

/** `a/./b/*` → pivot `a` and the components below it; without `/./` the pivot is the root. */
export function splitPivot(pattern: string): { readonly pivot: string; readonly rest: readonly string[] } {
  const at = pattern.indexOf('/./');
  if (at === -1) return { pivot: '', rest: componentsOf(pattern) };
  return { pivot: pattern.slice(0, at), rest: componentsOf(pattern.slice(at + 3)) };
}

/** Existing paths that a pattern matches, in byte order. Directories reached through links inside the root count. */
export function expandWildcards(root: RootDirectory, pattern: string): ByteString[] {
  let paths: ByteString[] = [''];
  for (const component of componentsOf(pattern)) {
    const below = (path: ByteString, name: ByteString): ByteString => (path === '' ? name : `${path}/${name}`);
    if (!hasWildcard(component)) {
      const name = toBytes(unescapePattern(component));
      paths = paths.map((path) => below(path, name));
    } else {
      const glob = globOf(component);
      paths = paths.flatMap((path) =>
        namesIn(root, path)
          .filter((name) => glob.matches(textOf(name)))
          .map((name) => below(path, name)),
      );
    }
  }
  return paths.filter((path) => root.stat(path === '' ? '.' : bytesOf(path)) !== undefined);
}

function namesIn(root: RootDirectory, path: ByteString): ByteString[] {
  let fd: number;
  try {
    fd = root.openDirectory(path === '' ? '.' : bytesOf(path));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOTDIR' || errno === 'ENOENT' || errno === 'ELOOP') return [];
    throw error;
  }
  try {
    return listDirectory(fd).map(byteString);
  } finally {
    closeSync(fd);
  }
}
