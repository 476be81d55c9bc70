/** Owner of what a mount makes: caches, secrets, sockets of agents. */
import { chownSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import type { Span } from '../report/source-file.ts';
import { errnoOf } from '../sys/libc.ts';

/** @throws `run.start-failed` for an id this user namespace does not have */
export function giveTo(
  path: string,
  o: { readonly uid?: number | undefined; readonly gid?: number | undefined },
  what: string,
  span: Span,
): void {
  if (o.uid === undefined && o.gid === undefined) return;
  const [uid, gid] = [o.uid ?? 0, o.gid ?? 0];
  try {
    chownSync(path, uid, gid);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno !== 'EINVAL' && errno !== 'EPERM') throw cause;
    throw new BuilderError('run.start-failed', `cannot give ${what} to ${uid}:${gid}: this user has no such ids`, {
      cause,
      span,
      hint: 'ordinary users have the ids of /etc/subuid and /etc/subgid',
    });
  }
}
