/**
 * What a name stands for on this machine: a short name's candidates, a reference's mirrors and renamed location.
 * @see containers-registries.conf(5)
 */
import { BuilderError } from '../report/builder-error.ts';
import {
  formatReference,
  isQualified,
  parseReference,
  type QualifiedReference,
  qualify,
  type Reference,
  repositoryName,
} from '../spec/reference.ts';
import type { Alias, RegistriesConf, RegistryEntry } from './registries-conf.ts';
import { requireAllowed } from './registry-sources.ts';

/** One place a reference can be read from or written to. */
export interface ImageSource {
  readonly reference: QualifiedReference;
  /** Configured to be reached without verified TLS. */
  readonly insecure: boolean;
  readonly isMirror: boolean;
}

/** The alias a short name has, for the sentence that says so. */
export function aliasOf(ref: Reference, conf: RegistriesConf): Alias | undefined {
  if (isQualified(ref)) return undefined;
  const alias = conf.aliases.get(ref.repository);
  return alias?.target === undefined ? undefined : alias;
}

/**
 * Every full name a short name may mean, most likely first: its alias alone, else one per search registry. A qualified
 * reference stands for itself. Never an implicit docker.io.
 * @throws `reference.invalid` when there is no candidate, or several and the mode is `enforcing`
 */
export function resolveShortName(name: Reference | string, conf: RegistriesConf): readonly QualifiedReference[] {
  const ref = typeof name === 'string' ? parseReference(name) : name;
  if (isQualified(ref)) return [ref];
  const alias = aliasOf(ref, conf);
  if (alias?.target !== undefined) return [withSuffixOf(ref, aliasTarget(ref, alias))];
  const text = formatReference(ref);
  if (conf.searchRegistries.length === 0) {
    throw new BuilderError(
      'reference.invalid',
      `short name ${JSON.stringify(text)} names no registry: no alias and no unqualified-search-registries are configured`,
      { hint: `write the full name, for example docker.io/${ref.repository.includes('/') ? '' : 'library/'}${text}` },
    );
  }
  if (conf.shortNameMode === 'enforcing' && conf.searchRegistries.length > 1) {
    throw new BuilderError(
      'reference.invalid',
      `short name ${JSON.stringify(text)} may mean an image of ${conf.searchRegistries.join(' or ')}, and short-name-mode is enforcing`,
      { hint: `write the full name, for example ${conf.searchRegistries[0]}/${text}` },
    );
  }
  return conf.searchRegistries.map((registry) => qualify(ref, registry));
}

function aliasTarget(ref: Reference, alias: Alias): QualifiedReference {
  const target = parseReference(alias.target ?? '');
  if (isQualified(target)) return target;
  throw new BuilderError(
    'reference.invalid',
    `the alias of ${JSON.stringify(ref.repository)} in ${alias.file} is ${JSON.stringify(alias.target)}, which names no registry`,
  );
}

/** An alias gives registry and repository; tag and digest stay those that were written. */
function withSuffixOf(ref: Reference, target: QualifiedReference): QualifiedReference {
  const { registry, repository } = target;
  return {
    registry,
    repository,
    ...(ref.tag === undefined ? {} : { tag: ref.tag }),
    ...(ref.digest === undefined ? {} : { digest: ref.digest }),
  };
}

/** The entry whose prefix fits a reference best. */
function entryFor(ref: QualifiedReference, conf: RegistriesConf): RegistryEntry | undefined {
  let best: RegistryEntry | undefined;
  for (const entry of conf.registries) {
    if (matchLength(ref, entry.prefix) > (best === undefined ? 0 : matchLength(ref, best.prefix))) best = entry;
  }
  return best;
}

/** Characters of the name that a prefix covers; 0 when it does not fit. */
function matchLength(ref: QualifiedReference, prefix: string): number {
  if (prefix.startsWith('*.')) {
    // A wildcard names hosts, so whatever else fits a whole host is more specific.
    const [pattern, ...path] = prefix.slice(1).split('/');
    if (!ref.registry.endsWith(pattern!) || ref.registry.length === pattern!.length) return 0;
    return matchLength(ref, [ref.registry, ...path].join('/')) === 0 ? 0 : prefix.length;
  }
  const name = repositoryName(ref);
  const full = formatReference(ref);
  if (full !== prefix && name !== prefix && !full.startsWith(`${prefix}/`) && !full.startsWith(`${prefix}:`)) {
    return full.startsWith(`${prefix}@`) ? prefix.length : 0;
  }
  // `host` must not fit `host:5000/…`: a port is part of the registry.
  if (prefix.length < ref.registry.length) return 0;
  return prefix.length;
}

function matchedText(ref: QualifiedReference, prefix: string): string {
  return prefix.startsWith('*.') ? [ref.registry, ...prefix.split('/').slice(1)].join('/') : prefix;
}

/** The reference with its prefix replaced by another location. */
function rewritten(ref: QualifiedReference, prefix: string, location: string): QualifiedReference {
  if (location === '') return ref;
  const text = `${location}${formatReference(ref).slice(matchedText(ref, prefix).length)}`;
  const parsed = parseReference(text);
  if (isQualified(parsed)) return parsed;
  throw new BuilderError(
    'reference.invalid',
    `the registry configuration makes ${formatReference(ref)} into ${JSON.stringify(text)}, which names no registry`,
  );
}

/**
 * Where a reference is pulled from: its mirrors in order, then its primary location.
 * @throws `registry.blocked`
 */
export function pullSources(ref: QualifiedReference, conf: RegistriesConf): readonly ImageSource[] {
  const entry = entryFor(ref, conf);
  const primary = primarySource(ref, entry, conf);
  const mirrors = (entry?.mirrors ?? [])
    .filter(({ use }) => use === 'all' || (use === 'digest-only') === (ref.digest !== undefined))
    .map((mirror) => ({
      reference: rewritten(ref, entry!.prefix, mirror.location),
      insecure: mirror.insecure,
      isMirror: true,
    }));
  return [...mirrors, primary];
}

/** Whether the configuration lets a whole registry be reached without verified TLS. */
export function isInsecure(registry: string, conf: RegistriesConf): boolean {
  const ref = { registry, repository: '' };
  return entryFor(ref, conf)?.insecure === true || conf.sources?.insecure.includes(registry) === true;
}

/** Where a reference is pushed to: its primary location, never a mirror. @throws `registry.blocked` */
export function pushDestination(ref: QualifiedReference, conf: RegistriesConf): ImageSource {
  return primarySource(ref, entryFor(ref, conf), conf);
}

function primarySource(ref: QualifiedReference, entry: RegistryEntry | undefined, conf: RegistriesConf): ImageSource {
  const { sources } = conf;
  if (sources !== undefined) requireAllowed(ref.registry, formatReference(ref), sources);
  const insecure = entry?.insecure === true || sources?.insecure.includes(ref.registry) === true;
  if (entry === undefined) return { reference: ref, insecure, isMirror: false };
  if (entry.blocked) {
    throw new BuilderError(
      'registry.blocked',
      `${formatReference(ref)} is not used: the registry configuration blocks ${entry.prefix}`,
    );
  }
  return { reference: rewritten(ref, entry.prefix, entry.location), insecure, isMirror: false };
}
