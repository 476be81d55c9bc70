/**
 * mounts.conf: files of the host, such as subscriptions, that every process is shown as copies, and that no layer gets.
 * `source:target` a line; a path alone is both.
 * @see containers-mounts.conf(5)
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { RunMount } from '../spec/process-spec.ts';
import { configDirectory } from '../sys/user-directories.ts';
import type { Engine } from './engine.ts';

/** The mounts, and the copies behind them until disposed. */
export interface DefaultMounts extends Disposable {
  readonly mounts: readonly RunMount[];
}

/**
 * Copies what the nearest file names; sources that do not exist are passed over, since the files are written for many
 * machines.
 * @throws `usage.invalid` with file and line for what is no pair of paths, or a file that was named and is not there
 */
export function openDefaultMounts(engine: Engine): DefaultMounts {
  const file = fileFor(engine);
  const entries =
    file === undefined ? [] : parseMountsConf(readFile(file), file).filter(({ source }) => existsSync(source));
  if (entries.length === 0) return { mounts: [], [Symbol.dispose]: () => {} };
  const directory = mkdtempSync(join(engine.store.scratch.path, 'slipway-mounts-'));
  const mounts = entries.map(({ source, target }, i): RunMount => {
    const copy = join(directory, String(i));
    // What a link leads to on the host is not there in the container.
    cpSync(source, copy, { recursive: true, dereference: true });
    return { type: 'bind', source: copy, target, readOnly: false };
  });
  return { mounts, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}

function fileFor({ defaultMountsFile, env, cwd, callerUid }: Engine): string | undefined {
  if (defaultMountsFile !== undefined) return resolve(cwd, defaultMountsFile);
  const config = configDirectory(env);
  const own = callerUid === 0 ? [] : [join(config, 'containers')];
  return [...own, '/etc/containers', '/usr/share/containers'].map((at) => join(at, 'mounts.conf')).find(existsSync);
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new BuilderError('usage.invalid', `cannot read the mounts configuration ${path}`, { cause });
  }
}

/** The pairs of a file's text. @throws `usage.invalid` with file and line */
export function parseMountsConf(
  text: string,
  file: string,
): readonly { readonly source: string; readonly target: string }[] {
  return text.split('\n').flatMap((line, i) => {
    const entry = line.trim();
    if (entry === '' || entry.startsWith('#')) return [];
    const [source = '', target = source, ...rest] = entry.split(':');
    if (rest.length === 0 && isAbsolute(source) && isAbsolute(target)) return [{ source, target }];
    throw new BuilderError(
      'usage.invalid',
      `the mounts configuration ${file}:${i + 1} cannot be used: expected SOURCE:TARGET with absolute paths`,
    );
  });
}
