/** Build arguments as given: flags win over files, a bare name takes the caller's variable or is dropped. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Environment } from '../container/engine.ts';
import { BuilderError } from '../report/builder-error.ts';

export function buildArguments(
  flags: readonly string[],
  files: readonly string[],
  env: Environment,
  cwd: string,
): Map<string, string> {
  const args = new Map<string, string>();
  const add = (entry: string): void => {
    const at = entry.indexOf('=');
    const name = at === -1 ? entry : entry.slice(0, at);
    const value = at === -1 ? env[name] : entry.slice(at + 1);
    if (name === '') throw new BuilderError('usage.invalid', `the build argument ${JSON.stringify(entry)} has no name`);
    if (value !== undefined) args.set(name, value);
  };
  for (const file of files) for (const line of argumentLines(resolve(cwd, file))) add(line);
  for (const flag of flags) add(flag);
  return args;
}

function argumentLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'));
  } catch (cause) {
    throw new BuilderError('usage.invalid', `cannot read the build argument file ${path}`, { cause });
  }
}
