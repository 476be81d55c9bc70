/**
 * storage.conf: where the machine's images are to be kept. Slipway's store is its own, so it goes into a directory of its
 * own below the places named there, and only their drivers that exist here count.
 * @see containers-storage.conf(5)
 */
import { join } from 'node:path';
import { readToml, type TomlTable } from '../spec/toml-table.ts';
import { findConfigFiles, readConfigFile } from '../sys/config-files.ts';
import { configDirectory, homeDirectory } from '../sys/user-directories.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Absent members set nothing. */
export interface StorageConf {
  readonly root?: string;
  readonly runroot?: string;
  readonly imageStore?: string;
  readonly isTransient?: boolean;
  readonly driver?: 'overlay' | 'vfs';
  /** `overlay.mountopt=nodev`: those of drivers that exist here, as far as they mean something. */
  readonly options?: readonly string[];
}

const WHAT = 'storage configuration';
/** What the files of every distribution say: it is no wish. */
const USUAL = ['/var/lib/containers/storage', '/run/containers/storage', '/var/run/containers/storage'];
const DRIVERS = ['overlay', 'overlay2', 'vfs', 'btrfs', 'zfs', 'aufs', 'devicemapper'] as const;

/** Reads the files of this machine and user. @throws `usage.invalid` naming file, line and key */
export function loadStorageConf(env: Environment, uid: number): StorageConf {
  const config = configDirectory(env);
  let conf: StorageConf = {};
  for (const path of findConfigFiles('storage.conf', { env, uid })) {
    const isOwn = uid === 0 || path.startsWith(`${config}/`) || path === env['CONTAINERS_STORAGE_CONF'];
    const next = parseStorageConf(readConfigFile(path, WHAT), path, { env, uid, isOwn });
    const options = [...(conf.options ?? []), ...(next.options ?? [])];
    conf = { ...conf, ...next, ...(options.length === 0 ? {} : { options }) };
  }
  return conf;
}

/** What one file says. `isOwn`: its places are meant for this user, and not for root. */
export function parseStorageConf(
  text: string,
  file: string,
  o: { readonly env: Environment; readonly uid: number; readonly isOwn: boolean },
): StorageConf {
  const t = readToml(text, file, WHAT).table('storage');
  const graphroot = place(t, 'graphroot', o);
  const runroot = place(t, 'runroot', o);
  const rootless = o.uid === 0 ? undefined : place(t, 'rootless_storage_path', o);
  const imageStore = place(t, 'imagestore', o);
  const isTransient = t.boolean('transient_store');
  const root = rootless ?? (o.isOwn ? graphroot : undefined);
  const driver = driverOf(t);
  const options = [...optionsOf(t.table('options')), ...lendersOf(t.table('options'))];
  return {
    ...(root === undefined ? {} : { root }),
    ...(runroot === undefined || !o.isOwn ? {} : { runroot }),
    ...(imageStore === undefined || !o.isOwn ? {} : { imageStore }),
    ...(isTransient === undefined ? {} : { isTransient }),
    ...(driver === undefined ? {} : { driver }),
    ...(options.length === 0 ? {} : { options }),
  };
}

/** What a driver's own table does not say, the common one does. */
function optionsOf(t: TomlTable): readonly string[] {
  const overlay = t.table('overlay');
  const vfs = t.table('vfs');
  const mountopt = overlay.string('mountopt') ?? t.string('mountopt');
  const ignoresChown = (own: TomlTable): string | undefined => truth(own, IGNORE_CHOWN) ?? truth(t, IGNORE_CHOWN);
  const found: readonly (readonly [string, string | undefined])[] = [
    ['overlay.mountopt', mountopt],
    ['overlay.disable-volatile', truth(t, 'disable-volatile')],
    [`overlay.${IGNORE_CHOWN}`, ignoresChown(overlay)],
    [`vfs.${IGNORE_CHOWN}`, ignoresChown(vfs)],
  ];
  return found.flatMap(([key, value]) => (value === undefined || value === '' ? [] : [`${key}=${value}`]));
}

/** Our stores below the places where other tools look for theirs; most of them have none. */
function lendersOf(t: TomlTable): readonly string[] {
  const places = t.strings('additionalimagestores') ?? [];
  if (!places.every((path) => path.startsWith('/'))) t.fail('additionalimagestores', 'expected absolute paths');
  return places.map((path) => `.imagestore=${join(path, 'slipway')}`);
}

const IGNORE_CHOWN = 'ignore_chown_errors';

/** These are strings in the files of distributions, and booleans in others. */
function truth(t: TomlTable, key: string): string | undefined {
  if (t.isString(key)) return t.oneOf(key, ['true', 'false', '1', '0']);
  return t.boolean(key)?.toString();
}

function place(t: TomlTable, key: string, o: { readonly env: Environment; readonly uid: number }): string | undefined {
  const text = t.string(key);
  if (text === undefined || text === '') return undefined;
  const home = homeDirectory(o.env);
  const values: Readonly<Record<string, string>> = { HOME: home, UID: String(o.uid), USER: o.env['USER'] ?? '' };
  const path = text.replace(/\$\{?(\w+)\}?/g, (whole, name: string) => values[name] ?? o.env[name] ?? whole);
  if (!path.startsWith('/')) return t.fail(key, 'expected an absolute path');
  const usual = [...USUAL, join(home, '.local/share/containers/storage')];
  return usual.includes(path.replace(/\/+$/, '')) ? undefined : join(path, 'slipway');
}

/** The driver, or the first of a list of wishes, that exists here. */
function driverOf(t: TomlTable): StorageConf['driver'] {
  const known = (name: string): StorageConf['driver'] =>
    name === 'vfs' ? 'vfs' : name.startsWith('overlay') ? 'overlay' : undefined;
  const driver = t.oneOf('driver', DRIVERS);
  if (driver !== undefined) return known(driver);
  const first = (t.strings('driver_priority') ?? []).map(known).find((name) => name !== undefined);
  // Overlay is tried first anyway, and where it does not work the next wish counts.
  return first === 'vfs' ? 'vfs' : undefined;
}
