/** The ignore file of a build: which one counts, and its rules. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { IgnoreRules } from './copy-source.ts';

/**
 * The named one; else the one beside the Containerfile bearing its name; else the context's.
 * @param containerfile absolute path, undefined for standard input
 */
export function findIgnoreFile(
  contextDir: string,
  containerfile: string | undefined,
  named: string | undefined,
  cwd: string,
): string | undefined {
  if (named !== undefined) {
    const path = resolve(cwd, named);
    if (existsSync(path)) return path;
    throw new BuilderError('context.invalid', `there is no ignore file ${path}`);
  }
  const beside =
    containerfile === undefined ? [] : ['.dockerignore', '.containerignore'].map((end) => `${containerfile}${end}`);
  return [...beside, join(contextDir, '.containerignore'), join(contextDir, '.dockerignore')].find((path) =>
    existsSync(path),
  );
}

/** The rules of an ignore file; undefined for no file. @throws `context.invalid` for one that cannot be read */
export function readIgnoreRules(path: string | undefined): IgnoreRules | undefined {
  if (path === undefined) return undefined;
  try {
    return { patterns: readFileSync(path, 'utf8').split('\n'), name: basename(path) };
  } catch (cause) {
    throw new BuilderError('context.invalid', `cannot read the ignore file ${path}`, { cause });
  }
}
