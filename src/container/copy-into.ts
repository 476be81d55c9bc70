/** The one way files get into a root filesystem from outside: COPY, ADD, `copy` and `add` all end here. */

import { BuilderError } from '../report/builder-error.ts';
import type { Owner } from '../rootfs/copy-rules.ts';
import { resolveUser } from '../run/user.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import { RootDirectory } from '../sys/root-directory.ts';
import { type CopyResult, copyIn } from './copy-in.ts';
import type { ResolvedSource } from './copy-source.ts';
import type { Engine } from './engine.ts';
import type { StatCache } from './stat-cache.ts';

export interface CopyIntoRequest {
  /** Of the mounted root filesystem. */
  readonly rootPath: string;
  readonly sources: readonly ResolvedSource[];
  /** Absolute; ends in `/` when it must be a directory. */
  readonly destination: string;
  /** `user[:group]`; names are looked up in that root filesystem. */
  readonly chown?: string | undefined;
  readonly chmod?: string | undefined;
  readonly preserveOwnership?: boolean | undefined;
  readonly unpack?: boolean | undefined;
  readonly timestamp?: Timestamp | undefined;
  readonly digest?: boolean | undefined;
  readonly cache?: StatCache | undefined;
}

/** @throws `copy.invalid`, the errors of `copyIn` */
export async function copyInto(engine: Engine, o: CopyIntoRequest): Promise<CopyResult> {
  using root = new RootDirectory(o.rootPath);
  return await copyIn({
    root,
    sources: o.sources,
    destination: o.destination,
    chown: o.chown,
    resolveOwner: (chown) => numericOwner(o.rootPath, chown),
    chmod: o.chmod,
    preserveOwnership: o.preserveOwnership,
    unpack: o.unpack,
    timestamp: o.timestamp,
    digest: o.digest,
    cache: o.cache,
    signal: engine.signal,
  });
}

/**
 * Owner by name. Unlike USER, a lone number names the group of the same number.
 * @throws `copy.invalid` for a name the root filesystem does not know
 */
export function numericOwner(rootPath: string, chown: string): Owner {
  try {
    const { uid, gid } = resolveUser(rootPath, chown);
    return /^\d+$/.test(chown) ? { uid, gid: uid } : { uid, gid };
  } catch (cause) {
    throw new BuilderError(
      'copy.invalid',
      `cannot use ${JSON.stringify(chown)} as an owner: ${(cause as Error).message}`,
      {
        cause,
        hint: 'names are looked up in /etc/passwd and /etc/group of the image; use numbers if it has none',
      },
    );
  }
}
