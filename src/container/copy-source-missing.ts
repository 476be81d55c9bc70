/** Says why a source is not there: never existed (and what has nearly that name), or hidden by which ignore rule. */

import { closeSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { suggest } from '../report/suggestion.ts';
import { type ByteString, bytesOf, displayName, textOf } from '../rootfs/copy-walk.ts';
import { listDirectory, type RootDirectory } from '../sys/root-directory.ts';
import { type IgnoreRules, PathRules } from './copy-source-rules.ts';

/** Where was looked. */
interface Place {
  readonly root: RootDirectory;
  readonly rootName?: string;
  readonly ignore?: IgnoreRules | undefined;
}

const nameOf = (o: Place): string => o.rootName ?? 'the build context';

/** `copy.source-missing` for a plain name. Facts: `path`, `nearest` (deepest existing directory), `rule`. */
export function missingSource(o: Place, pattern: string, path: ByteString): BuilderError {
  const shown = JSON.stringify(pattern);
  const rule = o.ignore === undefined ? undefined : decidingRule(o.ignore, textOf(path));
  const nearest = nearestDirectory(o.root, path);
  const facts = { path: displayName(path), nearest: displayName(nearest.directory) || '.' };
  if (rule !== undefined && nearest.missing === undefined) {
    return new BuilderError(
      'copy.source-missing',
      `cannot copy ${shown}: ${o.ignore!.name}:${rule.line} hides it (rule "${rule.pattern}")`,
      {
        hint: `add "!${displayName(path)}" below that rule`,
        facts: { ...facts, rule: rule.pattern, line: rule.line },
      },
    );
  }
  const near =
    nearest.missing === undefined
      ? undefined
      : suggest(displayName(nearest.missing), namesIn(o.root, nearest.directory));
  const where = nearest.directory === '' ? '' : ` ("${displayName(nearest.directory)}" does)`;
  const better = near === undefined ? undefined : betterPath(o.root, nearest, near);
  return new BuilderError('copy.source-missing', `cannot copy ${shown}: it does not exist in ${nameOf(o)}${where}`, {
    facts,
    ...(better === undefined ? {} : { hint: `did you mean "${better}"?` }),
  });
}

/** `copy.source-missing` for a pattern that matches nothing. */
export function noMatch(o: Place, pattern: string): BuilderError {
  return new BuilderError(
    'copy.source-missing',
    `cannot copy ${JSON.stringify(pattern)}: nothing in ${nameOf(o)} matches`,
  );
}

/** The rule that hides `path`, with its line; undefined when it is visible. */
export function decidingRule(
  ignore: IgnoreRules,
  path: string,
): { readonly pattern: string; readonly line: number } | undefined {
  const { ignored, rule } = new PathRules(ignore).verdict(path);
  return ignored ? rule : undefined;
}

interface Nearest {
  /** The deepest that exists. */
  readonly directory: ByteString;
  /** The name that does not exist in it. */
  readonly missing: ByteString | undefined;
  /** What the path names below that. */
  readonly rest: readonly ByteString[];
}

function nearestDirectory(root: RootDirectory, path: ByteString): Nearest {
  let directory = '';
  const names = path.split('/').filter((part) => part !== '');
  for (const [i, name] of names.entries()) {
    const next = directory === '' ? name : `${directory}/${name}`;
    if (root.stat(bytesOf(next), true) === undefined) return { directory, missing: name, rest: names.slice(i + 1) };
    directory = next;
  }
  return { directory, missing: undefined, rest: [] };
}

/** The whole path with one name corrected where that exists; else as far as it does. */
function betterPath(root: RootDirectory, { directory, rest }: Nearest, near: string): string {
  const corrected = [displayName(directory), near].filter(Boolean).join('/');
  if (rest.length === 0) return corrected;
  const whole = [directory, near, ...rest].filter(Boolean).join('/');
  return root.stat(bytesOf(whole), true) === undefined ? corrected : displayName(whole);
}

function namesIn(root: RootDirectory, path: ByteString): string[] {
  try {
    const fd = root.openDirectory(path === '' ? '.' : bytesOf(path));
    try {
      return listDirectory(fd).map((name) => name.toString());
    } finally {
      closeSync(fd);
    }
  } catch {
    return [];
  }
}
