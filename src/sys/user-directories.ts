/**
 * The directories of whoever calls. A variable that holds no absolute path counts as unset, so that nothing ever lands
 * in the directory the program happens to be called from.
 * @see XDG Base Directory Specification
 */
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { callerUid } from './host.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** `$HOME`, else what /etc/passwd says of the caller, else `/`. */
export function homeDirectory(env: Environment): string {
  return absolute(env['HOME']) ?? passwdHome(callerUid(env)) ?? '/';
}

/** `$XDG_CONFIG_HOME`, else `~/.config`. */
export function configDirectory(env: Environment): string {
  return absolute(env['XDG_CONFIG_HOME']) ?? join(homeDirectory(env), '.config');
}

/** `$XDG_CACHE_HOME`, else `~/.cache`. */
export function cacheDirectory(env: Environment): string {
  return absolute(env['XDG_CACHE_HOME']) ?? join(homeDirectory(env), '.cache');
}

/** `$XDG_DATA_HOME`, else `~/.local/share`. */
export function dataDirectory(env: Environment): string {
  return absolute(env['XDG_DATA_HOME']) ?? join(homeDirectory(env), '.local', 'share');
}

/** `$XDG_RUNTIME_DIR`: for what is gone when the user logs out. */
export function runtimeDirectory(env: Environment): string | undefined {
  return absolute(env['XDG_RUNTIME_DIR']);
}

/** `$TMPDIR`. */
export function temporaryDirectory(env: Environment): string | undefined {
  return absolute(env['TMPDIR']);
}

function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}

/** node asks for the user it runs as, which is root inside a user namespace. */
function passwdHome(uid: number): string | undefined {
  let text: string;
  try {
    text = readFileSync('/etc/passwd', 'utf8');
  } catch {
    return undefined;
  }
  const fields = text.split('\n').map((line) => line.split(':'));
  return absolute(fields.find((entry) => entry[2] === String(uid))?.[5]);
}
