/**
 * What the mounts of root filesystems carry beyond what they need, in the words of mount(8): `nodev,nosuid`.
 * @see containers-storage.conf(5), "mountopt"; Documentation/filesystems/overlayfs.rst in the kernel's sources
 */
import { BuilderError } from '../report/builder-error.ts';
import { suggest } from '../report/suggestion.ts';
import { MS } from '../sys/libc.ts';

export interface MountOptions {
  /** MS_ bits that say more than the usual ones. */
  readonly flags: number;
  /** Further options of overlayfs. */
  readonly overlay: readonly string[];
  /** fsync inside of containers reaches the disk. */
  readonly isDurable?: boolean;
}

export const NO_MOUNT_OPTIONS: MountOptions = { flags: 0, overlay: [] };

interface Word {
  readonly set?: number;
  readonly clear?: number;
  /** Goes to overlayfs as it is. */
  readonly passed?: true;
  /** Why it cannot be had. */
  readonly refused?: string;
}

const ATIME = MS.RELATIME | MS.STRICTATIME;
const AS_IT_IS: Word = {};
const LAYERS_ALONE = 'an upper directory becomes a layer and has to mean the same without its mount';

const WORDS: Readonly<Record<string, Word>> = {
  nodev: { set: MS.NODEV },
  dev: { clear: MS.NODEV },
  nosuid: { set: MS.NOSUID },
  suid: { clear: MS.NOSUID },
  noexec: { set: MS.NOEXEC },
  exec: { clear: MS.NOEXEC },
  relatime: { clear: ATIME, set: MS.RELATIME },
  strictatime: { clear: ATIME, set: MS.STRICTATIME },
  noatime: { clear: ATIME },
  nodiratime: AS_IT_IS,
  rw: AS_IT_IS,
  defaults: AS_IT_IS,
  volatile: AS_IT_IS,
  userxattr: { refused: 'it follows from the user namespace' },
  ro: { refused: 'containers are written to' },
  'metacopy=off': AS_IT_IS,
  'metacopy=on': { refused: LAYERS_ALONE },
  'index=off': AS_IT_IS,
  'index=on': { refused: LAYERS_ALONE },
  'redirect_dir=off': AS_IT_IS,
  'redirect_dir=nofollow': AS_IT_IS,
  'redirect_dir=on': { refused: LAYERS_ALONE },
  'redirect_dir=follow': { refused: LAYERS_ALONE },
  'nfs_export=off': AS_IT_IS,
  'nfs_export=on': { refused: LAYERS_ALONE },
  'xino=on': { passed: true },
  'xino=off': { passed: true },
  'xino=auto': { passed: true },
};

/**
 * Reads a list with commas; of words that contradict each other the last one counts.
 * @param o.lenient passes over words that are refused or unknown: a configuration file speaks to other tools as well
 * @throws `usage.unsupported` for a word that a mount of ours cannot carry, `usage.invalid` for one nobody knows
 */
export function parseMountOptions(text: string, o: { readonly lenient?: boolean } = {}): MountOptions {
  let flags = 0;
  const overlay = new Map<string, string>();
  for (const name of text.split(',').map((part) => part.trim())) {
    const word = name === '' ? AS_IT_IS : Object.hasOwn(WORDS, name) ? WORDS[name] : undefined;
    if (word === undefined || word.refused !== undefined) {
      if (o.lenient === true) continue;
      throw refusal(name, word?.refused);
    }
    flags = (flags & ~(word.clear ?? 0)) | (word.set ?? 0);
    if (word.passed === true) overlay.set(name.split('=')[0]!, name);
  }
  return { flags, overlay: [...overlay.values()] };
}

function refusal(name: string, why: string | undefined): BuilderError {
  if (why !== undefined) {
    return new BuilderError('usage.unsupported', `the mount option ${name} of storage is not supported: ${why}`);
  }
  const near = suggest(name, Object.keys(WORDS));
  return new BuilderError('usage.invalid', `${JSON.stringify(name)} is no mount option that storage could carry`, {
    ...(near === undefined ? {} : { hint: `did you mean \`${near}\`?` }),
  });
}
