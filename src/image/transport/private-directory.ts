/** A temporary directory only this user can enter, gone when disposed. Big: beside TMPDIR, by default /var/tmp. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

export interface PrivateDirectory extends AsyncDisposable {
  readonly path: string;
}

export async function makePrivateDirectory(parent = process.env['TMPDIR'] || '/var/tmp'): Promise<PrivateDirectory> {
  // mkdtemp makes it with mode 0700 and a name nobody could have taken before.
  const path = await mkdtemp(join(parent, 'slipway-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
