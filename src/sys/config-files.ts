/**
 * Where the tools of the containers family look for a configuration file: the first main file found counts whole, then
 * drop-ins, then one that an environment variable names.
 *
 * @see containers.conf(5), containers-registries.conf(5)
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { configDirectory } from './user-directories.ts';

export interface ConfigSearch {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Main file the user names; no other is looked for. */
  readonly path?: string;
  /** Directory of drop-ins the user names, in the place of the usual ones. */
  readonly dir?: string;
  /** Of the caller, outside any user namespace; without it drop-ins for some users only are left out. */
  readonly uid?: number;
  /** The system's places, nearest first. */
  readonly system?: readonly string[];
}

const VARIABLES = {
  'containers.conf': 'CONTAINERS_CONF',
  'registries.conf': 'CONTAINERS_REGISTRIES_CONF',
  'storage.conf': 'CONTAINERS_STORAGE_CONF',
} as const;
const SYSTEM = ['/etc/containers', '/usr/share/containers'];

/**
 * Paths of the files of that name, each to be laid over those before it. Files that were named are in the list whether
 * they exist or not.
 * @param name `containers.conf`; its variables are `CONTAINERS_CONF` and `CONTAINERS_CONF_OVERRIDE`
 */
export function findConfigFiles(name: keyof typeof VARIABLES, o: ConfigSearch): readonly string[] {
  const { env } = o;
  const variable = VARIABLES[name];
  const config = configDirectory(env);
  const { system = SYSTEM } = o;
  const named = o.path ?? env[variable] ?? '';
  const main =
    named !== '' ? named : [join(config, 'containers'), ...system].map((at) => join(at, name)).find(existsSync);
  const usual = [
    join(config, 'containers', `${name}.d`),
    ...system.flatMap((at) => dropInPlaces(join(at, name), o.uid)),
  ];
  // A main file named by the user stands alone unless a directory was named too.
  const directories = o.dir !== undefined ? [o.dir] : named !== '' ? [] : usual;
  const override = env[`${variable}_OVERRIDE`] ?? '';
  return [...(main === undefined ? [] : [main]), ...dropIns(directories), ...(override === '' ? [] : [override])];
}

/** The more it is meant for the caller, the nearer a directory is. `/etc/x.conf` has `/etc/x.rootless.conf.d/1000`. */
function dropInPlaces(path: string, uid: number | undefined): readonly string[] {
  const usual = `${path}.d`;
  if (uid === undefined) return [usual];
  const special = path.replace(/\.conf$/, uid === 0 ? '.rootful.conf.d' : '.rootless.conf.d');
  return uid === 0 ? [special, usual] : [join(special, String(uid)), special, usual];
}

/** Drop-ins by file name; the same name in a nearer directory hides the others. */
function dropIns(directories: readonly string[]): readonly string[] {
  const byName = new Map<string, string>();
  for (const directory of directories) {
    for (const name of namesIn(directory)) {
      if (name.endsWith('.conf') && !byName.has(name)) byName.set(name, join(directory, name));
    }
  }
  return [...byName.keys()].sort().map((name) => byName.get(name)!);
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/**
 * The text of such a file.
 * @param what the kind of the file, for people: `storage configuration`
 * @throws `usage.invalid`
 */
export function readConfigFile(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'it does not exist' : 'it cannot be read';
    throw new BuilderError('usage.invalid', `the ${what} ${path} cannot be used: ${why}`, { cause });
  }
}
