/**
 * registries.conf, version 2: which registries a short name may mean, which are mirrored, renamed, blocked or reached
 * without TLS. The first main file found counts whole, then the drop-ins in order of their file names.
 * @see containers-registries.conf(5), containers-registries.conf.d(5)
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { readToml, type TomlTable } from '../spec/toml-table.ts';
import { findConfigFiles } from '../sys/config-files.ts';
import { callerUid } from '../sys/host.ts';
import { cacheDirectory } from '../sys/user-directories.ts';
import type { Environment } from './proxy.ts';
import { type RegistrySources, readRegistrySources } from './registry-sources.ts';

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
  /** Names of helper programs, `containers-auth.json` standing for the files of logins. */
  readonly credentialHelpers: readonly string[];
  /** Of containers.conf: how often a transfer is tried again, and after how long. */
  readonly retry?: { readonly retries?: number; readonly delayMs?: number };
  /** Registries the environment allows, forbids, or takes for insecure. */
  readonly sources?: RegistrySources;
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
  credentialHelpers: ['containers-auth.json'],
};

export interface RegistriesConfOptions {
  /** Main file given by the user; must exist. */
  readonly path?: string | undefined;
  /** Directory of drop-ins given by the user, instead of the usual ones. */
  readonly dir?: string | undefined;
  /** Aliases that were chosen by hand; default the user's own. It need not exist. */
  readonly aliasFile?: string | undefined;
  readonly env?: Environment | undefined;
  /** Of the caller, outside any user namespace: there are drop-ins for some users only. */
  readonly uid?: number | undefined;
}

/** Reads the configuration of this machine and user. @throws `usage.invalid` naming file, line and key */
export function loadRegistriesConf(o: RegistriesConfOptions = {}): RegistriesConf {
  const env = o.env ?? process.env;
  const uid = o.uid ?? callerUid(env);
  const found = findConfigFiles('registries.conf', {
    env,
    uid,
    ...(o.path === undefined ? {} : { path: o.path }),
    ...(o.dir === undefined ? {} : { dir: o.dir }),
  });
  const files = found.map((path) => readConf(path) ?? fail(path, 'it does not exist'));
  const conf = files.reduce(merge, EMPTY_REGISTRIES_CONF);
  // What a person chose goes before what the machine says.
  const chosen = readConf(o.aliasFile ?? aliasFileOf(env, uid));
  const sources = readRegistrySources(env);
  return {
    ...conf,
    ...(chosen === undefined ? {} : { aliases: new Map([...conf.aliases, ...chosen.aliases]) }),
    ...(sources === undefined ? {} : { sources }),
  };
}

/** Where the tools of the containers family keep the short names that were chosen when they asked. */
export function aliasFileOf(env: Environment, uid: number): string {
  const cache = uid === 0 ? '/var/cache' : cacheDirectory(env);
  return join(cache, 'containers/short-name-aliases.conf');
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

const WHAT = 'registry configuration';

function fail(file: string, why: string, cause?: unknown): never {
  throw new BuilderError('usage.invalid', `the ${WHAT} ${file} cannot be used: ${why}`, { cause });
}

/** Reads one file's text. @throws `usage.invalid` naming file, line or key */
export function parseRegistriesConf(text: string, file: string): RegistriesConfFile {
  const read = readToml(text, file, WHAT);
  if (read.has('registries')) {
    return read.fail('registries', 'this section is of version 1, which is no longer read');
  }
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

function readAliases(read: TomlTable, file: string): ReadonlyMap<string, Alias> {
  const aliases = read.table('aliases');
  return new Map(
    aliases.keys().map((name) => {
      const target = aliases.string(name) ?? '';
      return [name, { target: target === '' ? undefined : target, file }];
    }),
  );
}

function readEntry(read: TomlTable): RegistryEntry {
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
