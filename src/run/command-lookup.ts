/** Finding a command the way execvp(3) does, in the root directory of the calling thread. */
import { accessSync, constants, statSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';

/** What a process searches when its environment has no PATH; also what every RUN starts from. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function isExecutable(path: string): boolean {
  try {
    if (!statSync(path).isFile()) return false;
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Path of the program `command` stands for: itself when it has a slash, else the first hit in the PATH of `env`.
 * @throws `run.start-failed` naming what is wrong
 */
export function findCommand(command: string, env: readonly string[]): string {
  if (command === '') throw new BuilderError('run.start-failed', 'the command is empty');
  if (command.includes('/')) return command;
  const path = env.findLast((entry) => entry.startsWith('PATH='))?.slice(5) ?? DEFAULT_PATH;
  for (const directory of path.split(':')) {
    // An empty entry means the working directory to execvp; the value comes from an image, so it is not honoured.
    if (directory === '') continue;
    const candidate = `${directory}/${command}`;
    if (isExecutable(candidate)) return candidate;
  }
  throw new BuilderError('run.start-failed', `executable file ${JSON.stringify(command)} not found in $PATH`, {
    facts: { errno: 'ENOENT' },
  });
}
