/**
 * registries.conf, version 2: which registries a short name may mean, which are mirrored, renamed, blocked or reached
 * without TLS. The first main file found counts whole, then the drop-ins in order of their file names.
 * @see containers-registries.conf(5), containers-registries.conf.d(5)
 */
import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { BuilderError } from '../report/builder-error.ts';
import type { Environment } from './proxy.ts';

export type MirrorUse = 'all' | 'digest-only' | 'tag-only';
export type ShortNameMode = 'enforcing' | 'permissive' | 'disabled';

export interface Mirror {
  readonly location: string;
  readonly insecure: boolean;
  readonly use: MirrorUse;
}

export interface RegistryEntry {
  /** `host`, `host/path`, `*.domain`; the longest that fits a name decides. */
  readonly prefix: string;
  /** What replaces the prefix; equal to it when nothing is renamed. */
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly Mirror[];
}

export interface Alias {
  /** Full name; undefined takes back an alias of an earlier file. */
  readonly target: string | undefined;
  readonly file: string;
}

export interface RegistriesConf {
  readonly searchRegistries: readonly string[];
  readonly shortNameMode: ShortNameMode;
  readonly aliases: ReadonlyMap<string, Alias>;
  readonly registries: readonly RegistryEntry[];
  readonly credentialHelpers: readonly string[];
}

/** What one file says; absent members leave what an earlier file said. */
export interface RegistriesConfFile {
  readonly searchRegistries?: readonly string[];
  readonly shortNameMode?: ShortNameMode;
  readonly credentialHelpers?: readonly string[];
  readonly aliases: ReadonlyMap<string, Alias>;
  readonly registries: readonly RegistryEntry[];
}

export const EMPTY_REGISTRIES_CONF: RegistriesConf = {
  searchRegistries: [],
  shortNameMode: 'permissive',
  aliases: new Map(),
  registries: [],
  credentialHelpers: [],
};

export interface RegistriesConfOptions {
  /** Main file given by the user; must exist. */
  readonly path?: string | undefined;
  /** Directory of drop-ins given by the user, instead of the usual ones. */
  readonly dir?: string | undefined;
  readonly env?: Environment | undefined;
}

/** Reads the configuration of this machine and user. @throws `usage.invalid` naming file, line and key */
export function loadRegistriesConf(o: RegistriesConfOptions = {}): RegistriesConf {
  const env = o.env ?? process.env;
  const config = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config');
  const places = [join(config, 'containers'), '/etc/containers', '/usr/share/containers'];
  const forced = o.path ?? env['CONTAINERS_REGISTRIES_CONF'];
  const files: RegistriesConfFile[] = [];
  if (forced !== undefined && forced !== '') {
    files.push(readConf(forced) ?? fail(forced, 'it does not exist'));
  } else {
    const main = places.map((place) => readConf(join(place, 'registries.conf'))).find((file) => file !== undefined);
    if (main !== undefined) files.push(main);
  }
  // A main file named by the user stands alone unless a directory was named too.
  const isAlone = forced !== undefined && forced !== '' && o.dir === undefined;
  const directories = o.dir !== undefined ? [o.dir] : places.map((place) => join(place, 'registries.conf.d'));
  if (!isAlone) for (const path of dropIns(directories)) files.push(readConf(path) ?? fail(path, 'it vanished'));
  const override = env['CONTAINERS_REGISTRIES_CONF_OVERRIDE'];
  if (override) files.push(readConf(override) ?? fail(override, 'it does not exist'));
  return files.reduce(merge, EMPTY_REGISTRIES_CONF);
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

function readConf(path: string): RegistriesConfFile | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    return fail(path, 'it cannot be read', cause);
  }
  return parseRegistriesConf(text, path);
}

function merge(before: RegistriesConf, file: RegistriesConfFile): RegistriesConf {
  const prefixes = new Set(file.registries.map((entry) => entry.prefix));
  return {
    searchRegistries: file.searchRegistries ?? before.searchRegistries,
    shortNameMode: file.shortNameMode ?? before.shortNameMode,
    credentialHelpers: file.credentialHelpers ?? before.credentialHelpers,
    aliases: new Map([...before.aliases, ...file.aliases]),
    registries: [...before.registries.filter((entry) => !prefixes.has(entry.prefix)), ...file.registries],
  };
}

function fail(file: string, why: string, cause?: unknown): never {
  throw new BuilderError('usage.invalid', `the registry configuration ${file} cannot be used: ${why}`, { cause });
}

type Table = Readonly<Record<string, unknown>>;

/** Reads one file's text. @throws `usage.invalid` naming file, line or key */
export function parseRegistriesConf(text: string, file: string): RegistriesConfFile {
  let table: Table;
  try {
    table = parse(text);
  } catch (cause) {
    const line = cause instanceof TomlError ? cause.line : 0;
    return fail(
      `${file}:${line}`,
      cause instanceof TomlError ? cause.message.split('\n')[0]! : 'it is not TOML',
      cause,
    );
  }
  const read = new TableReader(file, '', table);
  if (isOldFormat(table))
    return fail(file, '[registries.search] and its siblings are of version 1, which is no longer read');
  const searchRegistries = read.strings('unqualified-search-registries');
  const shortNameMode = read.oneOf('short-name-mode', ['enforcing', 'permissive', 'disabled']);
  const credentialHelpers = read.strings('credential-helpers');
  return {
    ...(searchRegistries === undefined ? {} : { searchRegistries }),
    ...(shortNameMode === undefined ? {} : { shortNameMode }),
    ...(credentialHelpers === undefined ? {} : { credentialHelpers }),
    aliases: readAliases(read, file),
    registries: read.tables('registry').map(readEntry),
  };
}

function isOldFormat(table: Table): boolean {
  const registries = table['registries'];
  return typeof registries === 'object' && registries !== null && !Array.isArray(registries);
}

function readAliases(read: TableReader, file: string): ReadonlyMap<string, Alias> {
  const aliases = read.table('aliases');
  return new Map(
    aliases.keys().map((name) => {
      const target = aliases.string(name) ?? '';
      return [name, { target: target === '' ? undefined : target, file }];
    }),
  );
}

function readEntry(read: TableReader): RegistryEntry {
  const location = read.string('location');
  const prefix = read.string('prefix') ?? location;
  if (prefix === undefined || prefix === '') return read.fail('prefix', 'neither a prefix nor a location is given');
  const isWildcard = prefix.startsWith('*.');
  if (!isWildcard && prefix.includes('*')) return read.fail('prefix', 'a wildcard is "*." at the beginning');
  const digestOnly = read.boolean('mirror-by-digest-only') === true;
  return {
    prefix: trimmed(prefix),
    // A wildcard without a location only gives properties to what it fits.
    location: trimmed(location ?? (isWildcard ? '' : prefix)),
    insecure: read.boolean('insecure') === true,
    blocked: read.boolean('blocked') === true,
    mirrors: read.tables('mirror').map((mirror) => ({
      location: trimmed(mirror.string('location') ?? mirror.fail('location', 'it is missing')),
      insecure: mirror.boolean('insecure') === true,
      use: mirror.oneOf('pull-from-mirror', ['all', 'digest-only', 'tag-only']) ?? (digestOnly ? 'digest-only' : 'all'),
    })),
  };
}

function trimmed(location: string): string {
  return location.replace(/\/+$/, '');
}

/** Typed access to a table; every complaint names file and key. */
class TableReader {
  readonly #file: string;
  readonly #path: string;
  readonly #table: Table;

  constructor(file: string, path: string, table: Table) {
    this.#file = file;
    this.#path = path;
    this.#table = table;
  }

  fail(key: string, why: string): never {
    return fail(this.#file, `key ${this.#path}${key}: ${why}`);
  }

  keys(): string[] {
    return Object.keys(this.#table);
  }

  string(key: string): string | undefined {
    const value = this.#table[key];
    if (value === undefined || typeof value === 'string') return value;
    return this.fail(key, 'expected a string');
  }

  boolean(key: string): boolean | undefined {
    const value = this.#table[key];
    if (value === undefined || typeof value === 'boolean') return value;
    return this.fail(key, 'expected true or false');
  }

  strings(key: string): readonly string[] | undefined {
    const value = this.#table[key];
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((element) => typeof element === 'string')) return value;
    return this.fail(key, 'expected a list of strings');
  }

  oneOf<T extends string>(key: string, allowed: readonly T[]): T | undefined {
    const value = this.string(key);
    if (value === undefined || value === '') return undefined;
    return allowed.find((word) => word === value) ?? this.fail(key, `expected one of ${allowed.join(', ')}`);
  }

  table(key: string): TableReader {
    const value = this.#table[key] ?? {};
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return this.fail(key, 'expected a table');
    return new TableReader(this.#file, `${this.#path}${key}.`, value as Table);
  }

  tables(key: string): readonly TableReader[] {
    const value = this.#table[key] ?? [];
    if (!Array.isArray(value)) return this.fail(key, `expected [[${key}]]`);
    return value.map((element: unknown, i) => {
      if (typeof element !== 'object' || element === null) return this.fail(`${key}[${i}]`, 'expected a table');
      return new TableReader(this.#file, `${this.#path}${key}[${i}].`, element as Table);
    });
  }
}
