/**
 * Options of storage drivers, as `--storage-opt KEY=VALUE` and storage.conf have them. Those that mean something here
 * work; every other one that is known elsewhere is refused with the reason.
 * @see containers-storage.conf(5)
 */
import { BuilderError } from '../report/builder-error.ts';
import { suggest } from '../report/suggestion.ts';
import { type MountOptions, NO_MOUNT_OPTIONS, parseMountOptions } from '../rootfs/mount-options.ts';
import type { Snapshotter } from '../rootfs/snapshotter.ts';

type Driver = Snapshotter['driver'];

export interface StorageOptions {
  readonly mountOptions: MountOptions;
  /** Files of layers whose owner this user namespace does not have are its root's, instead of an error. */
  readonly ignoreChownErrors: boolean;
  /** Roots of other stores whose images can be used, absolute paths. */
  readonly lenders: readonly string[];
}

export const NO_STORAGE_OPTIONS: StorageOptions = {
  mountOptions: NO_MOUNT_OPTIONS,
  ignoreChownErrors: false,
  lenders: [],
};

const OF_OTHERS = 'there is no such driver';
const QUOTAS = 'no quotas are set on directories';

/** What is known and not done here, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  additionallayerstore: 'layers are read from the store and from registries alone',
  mount_program: 'the kernel mounts overlays here; where it may not, the vfs driver needs no mounts',
  size: QUOTAS,
  inodes: QUOTAS,
  force_mask: 'files keep the modes their layers give them',
  use_composefs: 'layers are unpacked as plain directories',
  override_kernel_check: 'whether overlay works is tried out',
};

/** Two names of one option; it may be given several times. */
const IMAGE_STORES = ['imagestore', 'additionalimagestore'];

/** Drivers with options of their own elsewhere. */
const OTHER_DRIVERS = ['btrfs', 'zfs', 'aufs', 'dm', 'devicemapper'];
const OWN: Readonly<Record<Driver, readonly string[]>> = {
  overlay: ['mountopt', 'ignore_chown_errors', 'skip_mount_home', 'disable-volatile', ...IMAGE_STORES],
  vfs: ['ignore_chown_errors', ...IMAGE_STORES],
};

const QUOTED = 'a value with commas stands in quotes, as in --storage-opt \'"overlay.mountopt=nodev,nosuid"\'';

interface Given {
  /** Absent: any. */
  readonly driver: string | undefined;
  readonly name: string;
  readonly value: string;
  readonly text: string;
}

/**
 * Reads options for the driver that is used.
 * @param texts `KEY=VALUE`, keys with or without the driver (`overlay.mountopt`, `.mountopt`); of equal ones the last counts
 * @throws `usage.invalid` for what cannot be understood, `usage.unsupported` for what is not done here
 */
export function parseStorageOptions(texts: readonly string[], driver: Driver): StorageOptions {
  return texts.map(splitOption).reduce((before, given) => withOption(before, given, driver), NO_STORAGE_OPTIONS);
}

/** The options of storage.conf: it also speaks to other tools, so what is not for this driver is passed over. */
export function configuredStorageOptions(texts: readonly string[], driver: Driver): StorageOptions {
  return texts
    .map(splitOption)
    .filter((given) => (given.driver ?? driver) === driver)
    .reduce((before, given) => withOption(before, given, driver, { lenient: true }), NO_STORAGE_OPTIONS);
}

function splitOption(text: string): Given {
  const match = /^(?:([a-z0-9]*)\.)?([\w-]+)=(.*)$/is.exec(text);
  if (match === null) {
    throw new BuilderError('usage.invalid', `the storage option ${JSON.stringify(text)} is not of the form KEY=VALUE`, {
      hint: QUOTED,
    });
  }
  const [, driver = '', name, value] = match;
  const known = driver.toLowerCase().replace('overlay2', 'overlay');
  return { driver: known === '' ? undefined : known, name: name!.toLowerCase(), value: value!.trim(), text };
}

function withOption(
  before: StorageOptions,
  given: Given,
  driver: Driver,
  o: { readonly lenient?: boolean } = {},
): StorageOptions {
  requireOwn(given, driver);
  const { mountOptions } = before;
  switch (given.name) {
    case 'mountopt': {
      const { isDurable } = mountOptions;
      const parsed = parseMountOptions(given.value, o);
      return { ...before, mountOptions: isDurable === undefined ? parsed : { ...parsed, isDurable } };
    }
    case 'disable-volatile':
      return { ...before, mountOptions: { ...mountOptions, isDurable: flagOf(given) } };
    case 'ignore_chown_errors':
      return { ...before, ignoreChownErrors: flagOf(given) };
    case 'imagestore':
    case 'additionalimagestore':
      return { ...before, lenders: [...new Set([...before.lenders, ...placesOf(given)])] };
    default:
      // skip_mount_home: the store is never mounted on itself.
      if (flagOf(given)) return before;
      throw refused(given, 'the directory of the store is never mounted on itself');
  }
}

function requireOwn(given: Given, driver: Driver): void {
  if (given.driver !== undefined && OTHER_DRIVERS.includes(given.driver)) throw refused(given, OF_OTHERS);
  const why = Object.hasOwn(REFUSED, given.name) ? REFUSED[given.name] : undefined;
  const isKnownDriver = given.driver === undefined || given.driver === 'overlay' || given.driver === 'vfs';
  if (isKnownDriver && why !== undefined) throw refused(given, why);
  const isForThis = (given.driver ?? driver) === driver;
  if (isForThis && OWN[driver].includes(given.name)) return;
  const other = driver === 'vfs' ? 'overlay' : 'vfs';
  if (!OWN[other].includes(given.name)) throw unknown(given);
  throw refused(given, `${isForThis ? `it is one of ${other}, and ` : ''}the driver of this store is ${driver}`);
}

function placesOf({ value, text }: Given): readonly string[] {
  const places = value.split(',').filter((place) => place !== '');
  if (places.every((place) => place.startsWith('/'))) return places.map((place) => place.replace(/(?<=.)\/+$/, ''));
  throw new BuilderError('usage.invalid', `the storage option ${JSON.stringify(text)} needs an absolute path`);
}

function flagOf({ value, text }: Given): boolean {
  const lower = value.toLowerCase();
  if (['1', 't', 'true'].includes(lower)) return true;
  if (['0', 'f', 'false', ''].includes(lower)) return false;
  throw new BuilderError('usage.invalid', `the storage option ${JSON.stringify(text)} says neither true nor false`);
}

function refused({ text }: Given, why: string): BuilderError {
  return new BuilderError('usage.unsupported', `the storage option ${JSON.stringify(text)} is not supported: ${why}`);
}

function unknown({ driver, name, text }: Given): BuilderError {
  const keys = Object.entries(OWN).flatMap(([of, names]) => names.map((own) => `${of}.${own}`));
  const near = suggest(`${driver ?? 'overlay'}.${name}`, keys);
  return new BuilderError('usage.invalid', `the storage option ${JSON.stringify(text)} is not known`, {
    hint: near === undefined ? QUOTED : `did you mean \`${near}\`?`,
  });
}
