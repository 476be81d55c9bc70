/** Facts about the host that more than one place asks for. */
import { accessSync, constants } from 'node:fs';
import { trustedDirectories } from './spawn.ts';

/** Path of a program in the system's own directories, whatever the caller's PATH says; undefined when not installed. */
export function findProgram(name: string): string | undefined {
  for (const directory of trustedDirectories()) {
    const path = `${directory}/${name}`;
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Next directory.
    }
  }
  return undefined;
}

/** Id of the user who started this program, outside any user namespace it entered. */
export function callerUid(env: Readonly<Record<string, string | undefined>>): number {
  return Number(env['SLIPWAY_ROOTLESS_UID'] ?? process.getuid?.() ?? 0);
}
