/**
 * A disk that loses its power: an ext4 file system on a loop device, and a copy of the device as it is at some moment.
 * What the file system still held in memory is not in the copy, which is mounted in the place of the first and replays
 * its journal, as after a reboot. The mounts live in a namespace that ends with the script. Needs root.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandResult, missingPrograms, tryCommand } from './command.ts';
import { quote, type Rig } from './rig.ts';

export interface LossScript {
  /** Shell text; `slipway` uses the store on the disk. All of it reaches the disk. */
  readonly before: string;
  /** Shell text after which power is lost; `killed CALLS N WORDS…` is `slipway WORDS…` killed at its Nth such call. */
  readonly script: string;
  /** Shell text run after the loss. */
  readonly after: string;
}

/** The reason why there can be no such disk, or false. */
export function lossyDiskProblem(folder: string): string | false {
  if (process.getuid?.() !== 0) return 'only root can mount a disk for tests';
  const missing = missingPrograms('unshare', 'mount', 'mkfs.ext4');
  if (missing !== false) return missing;
  const image = join(folder, 'tried.img');
  const script = `truncate -s 16M "$1" && mkfs.ext4 -q -F "$1" && mount -o loop "$1" /mnt`;
  const tried = tryCommand('unshare', ['--mount', 'sh', '-c', script, 'sh', image]);
  rmSync(image, { force: true });
  return tried.status === 0 ? false : 'the system has no loop devices or no ext4';
}

/** Runs `before`, waits until it is on the disk, runs `script`, loses power, and runs `after`. */
export function afterPowerLoss(rig: Rig, o: LossScript): CommandResult {
  const disk = join(rig.folder, 'disk');
  const [image, copy] = [join(rig.folder, 'disk.img'), join(rig.folder, 'copy.img')];
  mkdirSync(disk, { recursive: true });
  const program = [rig.program, '--root', `${disk}/root`, '--runroot', join(rig.folder, 'runroot')];
  // The journal is written when somebody asks for it, not because time passes.
  const text = `
disk=${quote(disk)}
slipway() { ${program.map(quote).join(' ')} "$@"; }
killed() {
  calls=$1 nth=$2; shift 2
  strace -f -qq -o /dev/null -e trace=$calls -e inject=$calls:signal=KILL:when=$nth ${program.map(quote).join(' ')} "$@"
}
rm -f ${quote(image)} ${quote(copy)}
truncate -s 200M ${quote(image)} && mkfs.ext4 -q -F ${quote(image)} && mount -o loop,commit=900 ${quote(image)} "$disk" || exit 99
( set -e
${o.before}
) || exit 98
sync -f "$disk"
( ${o.script}
)
cp --sparse=always ${quote(image)} ${quote(copy)}
umount "$disk" && mount -o loop ${quote(copy)} "$disk" || exit 97
${o.after}
`;
  try {
    return tryCommand('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', text], {
      env: rig.env,
      cwd: join(rig.folder, 'work'),
      timeoutMs: 120_000,
    });
  } finally {
    for (const path of [image, copy]) rmSync(path, { force: true });
  }
}
