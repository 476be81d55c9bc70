/** A temporary directory only this user can enter, gone when disposed. Big: beside TMPDIR, by default /var/tmp. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BuilderError } from '../../report/builder-error.ts';
import { temporaryDirectory } from '../../sys/user-directories.ts';

export interface PrivateDirectory extends AsyncDisposable {
  readonly path: string;
}

/** @throws `sys.call-failed` naming the parent when nothing can be made in it */
export async function makePrivateDirectory(
  parent = temporaryDirectory(process.env) ?? '/var/tmp',
): Promise<PrivateDirectory> {
  // mkdtemp makes it with mode 0700 and a name nobody could have taken before.
  const path = await mkdtemp(join(parent, 'slipway-')).catch((cause: unknown) => {
    throw new BuilderError('sys.call-failed', `cannot make a temporary directory in ${JSON.stringify(parent)}`, {
      cause,
      hint: 'set TMPDIR to a directory with room for the image',
    });
  });
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
