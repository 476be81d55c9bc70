/**
 * A tree as lines a person can write: `PATH[/] [MODE] [UID:GID] [@SECONDS] [NAME=HEX…] [CONTENT]`.
 *
 * Left out: mode 0644 of a file and 0755 of a directory, owner 0:0. `/` behind the path is a directory, `-> TARGET` a
 * symbolic link, `= PATH` another name of that file, `fifo`, `socket`, `char N` and `block N` the rest; a file's content
 * is a JSON string, or its digest where it is long or no text. `- PATH` is a path that is gone. A path with blanks or
 * quotes is a JSON string.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listTree, type TreeEntry } from './tree-listing.ts';

const LONGEST_CONTENT = 8192;

/** One line a path that is new, gone or changed in more than its time; the time is part of every line but the last. */
export function treeLines(root: string, base: readonly TreeEntry[]): string[] {
  const before = new Map(base.map((entry) => [entry.path, entry]));
  const lines: string[] = [];
  for (const entry of listTree(root)) {
    const old = before.get(entry.path);
    before.delete(entry.path);
    if (old === undefined || !isSame(old, entry)) lines.push(lineOf(root, entry));
  }
  return [...lines, ...[...before.keys()].map((path) => `- ${word(path)}`)].sort();
}

/** Takes the times away that the expected line of the same path does not ask for. */
export function withoutTimes(lines: readonly string[], expected: readonly string[]): string[] {
  const asking = new Set(expected.filter((line) => TIME.test(line)).map(pathOf));
  return lines.map((line) => (asking.has(pathOf(line)) ? line : line.replace(TIME, '')));
}

const TIME = / @\d+/;

function pathOf(line: string): string {
  return /^(?:"(?:[^"\\]|\\.)*"|\S+)/.exec(line)?.[0] ?? '';
}

function isSame(left: TreeEntry, right: TreeEntry): boolean {
  return JSON.stringify({ ...left, mtime: '' }) === JSON.stringify({ ...right, mtime: '' });
}

function lineOf(root: string, entry: TreeEntry): string {
  const path = entry.type === 'directory' && entry.path !== '.' ? `${entry.path}/` : entry.path;
  const words = [word(path)];
  if (entry.linkedTo !== undefined) return `${words[0]} = ${word(entry.linkedTo)}`;
  const usual = entry.type === 'directory' ? '0755' : '0644';
  if (entry.type !== 'symlink' && entry.mode !== usual) words.push(entry.mode);
  if (entry.uid !== 0 || entry.gid !== 0) words.push(`${entry.uid}:${entry.gid}`);
  words.push(`@${entry.mtime.split('.')[0]}`);
  for (const [name, value] of Object.entries(entry.xattrs ?? {})) words.push(`${name}=${value}`);
  switch (entry.type) {
    case 'directory':
      break;
    case 'file':
      words.push(contentOf(root, entry));
      break;
    case 'symlink':
      words.push(`-> ${word(entry.target ?? '')}`);
      break;
    case 'char':
    case 'block':
      words.push(`${entry.type} ${entry.device}`);
      break;
    default:
      words.push(entry.type);
  }
  return words.join(' ');
}

function contentOf(root: string, entry: TreeEntry): string {
  const digest = `sha256:${entry.sha256}`;
  if ((entry.size ?? 0) > LONGEST_CONTENT) return digest;
  const bytes = readFileSync(Buffer.from(join(root, entry.path), 'latin1'));
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? JSON.stringify(text) : digest;
}

/** Paths are bytes, one a character; those that are text are shown as text. */
function word(bytes: string): string {
  const decoded = Buffer.from(bytes, 'latin1').toString('utf8');
  const text = Buffer.from(decoded).equals(Buffer.from(bytes, 'latin1')) ? decoded : bytes;
  return /[\s"]/.test(text) || text === '' ? JSON.stringify(text) : text;
}
