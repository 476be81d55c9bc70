/** Volumes ready to be shown: their owners changed where that was asked for, overlays that keep what is written mounted. */
import { closeSync, constants, lstatSync, mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { ProcessUser, RunMount } from '../spec/process-spec.ts';
import { CleanupStack } from '../sys/dispose.ts';
import { AT_FDCWD, errnoOf, lchownat, mountCall, openat } from '../sys/libc.ts';
import { unmount } from '../sys/mount.ts';
import { listDirectory, procPath } from '../sys/root-directory.ts';
import type { Engine } from './engine.ts';
import { parseVolume } from './run-volume.ts';

/** The mounts, there until disposed. */
export interface OpenVolumes extends AsyncDisposable {
  readonly mounts: readonly RunMount[];
}

/** @throws `usage.invalid`, `run.start-failed` for a source whose owner cannot be changed */
export async function openVolumes(engine: Engine, texts: readonly string[], user: ProcessUser): Promise<OpenVolumes> {
  await using cleanup = new CleanupStack();
  const mounts: RunMount[] = [];
  for (const text of texts) {
    const { mount, isOwned, kept } = parseVolume(text, engine.cwd);
    if (isOwned) giveTo(mount.source, user);
    mounts.push(kept === undefined ? mount : overlayOf(engine, mount.source, kept, mount.target, cleanup));
  }
  const held = cleanup.move();
  return { mounts, [Symbol.asyncDispose]: () => held[Symbol.asyncDispose]() };
}

function overlayOf(
  engine: Engine,
  source: string,
  kept: { readonly upper: string; readonly work: string },
  target: string,
  cleanup: CleanupStack,
): RunMount {
  const merged = join(mkdtempSync(join(engine.store.scratch.path, 'volume-')), 'merged');
  mkdirSync(merged);
  const escaped = (path: string): string => path.replace(/[\\:,]/g, '\\$&');
  const options = `lowerdir=${escaped(source)},upperdir=${escaped(kept.upper)},workdir=${escaped(kept.work)}`;
  try {
    mountCall('overlay', merged, 'overlay', 0, options);
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error;
    mountCall('overlay', merged, 'overlay', 0, `${options},userxattr`);
  }
  cleanup.defer(() => unmount(merged));
  return { type: 'bind', source: merged, target, readOnly: false };
}

/** Changing the owner of one of these would leave the machine unusable. */
const KEPT =
  '/ /bin /boot /dev /etc /etc/passwd /etc/pki /home /lib /lib64 /media /opt /proc /root /run /sbin /srv /sys /tmp /usr /var /var/lib /var/log'.split(
    ' ',
  );

/** Everything at and below `source`, links themselves included; files that have the owner already are left alone. */
function giveTo(source: string, { uid, gid }: ProcessUser): void {
  const path = realpathSync(source);
  if (KEPT.includes(path)) {
    throw new BuilderError('usage.invalid', `the owner of ${path} is not changed: the system needs it as it is`);
  }
  try {
    give(AT_FDCWD, Buffer.from(path), Buffer.from(path), uid, gid);
  } catch (cause) {
    const errno = errnoOf(cause);
    throw new BuilderError(
      'run.start-failed',
      `cannot give ${path} to ${uid}:${gid}, as the volume option U asks${errno === undefined ? '' : ` (${errno})`}`,
      { cause },
    );
  }
}

/** @param place path by which `name` in the directory `parent` can be looked at */
function give(parent: number, name: Buffer, place: Buffer, uid: number, gid: number): void {
  const stat = lstatSync(place);
  if (stat.isDirectory()) {
    const fd = openat(parent, name, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      for (const child of listDirectory(fd)) give(fd, child, procPath(fd, child), uid, gid);
    } finally {
      closeSync(fd);
    }
  }
  if (stat.uid !== uid || stat.gid !== gid) lchownat(parent, name, uid, gid);
}
