/**
 * A store on a disk of its own, made for one script: small, with few inodes, read-only, whatever mount(8) can say. The
 * mount lives in a namespace that ends with the script. Needs root, also to try an ordinary user.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandResult, missingPrograms, tryCommand } from './command.ts';
import { quote, type Rig } from './rig.ts';

export interface DiskScript {
  /** Options of the tmpfs: `size=4m`, `nr_inodes=50`. */
  readonly disk: string;
  /** Shell text; `slipway` uses the store on the disk, `$disk` is where it is mounted. */
  readonly script: string;
  /** Shell text run before; then the disk is mounted again with the options of `remount`. */
  readonly before?: string;
  readonly remount?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The reason why there can be no disk of one's own, or false. */
export function ownDiskProblem(): string | false {
  if (process.getuid?.() !== 0) return 'only root can mount a disk for tests';
  const missing = missingPrograms('unshare', 'setpriv', 'mount');
  if (missing !== false) return missing;
  return tryCommand('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0
    ? false
    : 'the system lets nobody mount a tmpfs';
}

/** Runs the script as the rig's account. */
export function onOwnDisk(rig: Rig, o: DiskScript): CommandResult {
  const disk = join(rig.folder, 'disk');
  mkdirSync(disk, { recursive: true });
  const { uid, gid } = rig.account;
  const program = [rig.program, '--root', `${disk}/root`, '--runroot', `${disk}/run`].map(quote).join(' ');
  const as = (script: string): string =>
    `setpriv --reuid=${uid} --regid=${gid} --clear-groups sh -c ${quote(
      `cd ${quote(disk)}\ndisk=${quote(disk)}\nslipway() { ${program} "$@"; }\n${script}`,
    )}`;
  const outer = `
mount -t tmpfs -o ${quote(`${o.disk},uid=${uid},gid=${gid},mode=0700`)} tmpfs ${quote(disk)} || exit 99
${o.before === undefined ? '' : as(o.before)}
${o.remount === undefined ? '' : `mount -o remount,${o.remount} ${quote(disk)} || exit 98`}
${as(o.script)}
`;
  return tryCommand('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', outer], {
    env: { ...rig.env, TMPDIR: disk, ...o.env },
    cwd: rig.folder,
    timeoutMs: 60_000,
  });
}
