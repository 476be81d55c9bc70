/**
 * registries.d: where the signatures of a registry's images are kept. All files of one directory count together, and no
 * scope may stand in two of them.
 * @see containers-registries.d(5)
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { QualifiedReference } from '../spec/reference.ts';
import { referenceScopes } from '../spec/reference-scopes.ts';
import { configDirectory } from '../sys/user-directories.ts';
import type { Environment } from './proxy.ts';

/** What one section says; absent members leave it to a wider scope. */
export interface SignatureSection {
  readonly lookaside?: string;
  readonly lookasideStaging?: string;
  readonly useSigstoreAttachments?: boolean;
}

export interface SignatureStores {
  readonly defaults: SignatureSection;
  readonly scopes: ReadonlyMap<string, SignatureSection>;
}

export interface SignatureStoreOptions {
  readonly env?: Environment | undefined;
  /** The directory to read, instead of the user's or the machine's. */
  readonly dir?: string | undefined;
}

/** Reads the configuration of this user, or where there is none that of the machine. @throws `trust.invalid` */
export async function loadSignatureStores({ env = process.env, dir }: SignatureStoreOptions): Promise<SignatureStores> {
  const config = configDirectory(env);
  const own = join(config, 'containers/registries.d');
  const directory = dir ?? (existsSync(own) ? own : '/etc/containers/registries.d');
  const files = yamlFilesIn(directory);
  if (files.length === 0) return { defaults: {}, scopes: new Map() };
  const yaml = await import('yaml');
  const scopes = new Map<string, SignatureSection>();
  const origins = new Map<string, string>();
  let defaults: SignatureSection | undefined;
  for (const file of files) {
    const parsed = parseSignatureStores(readFileSync(file, 'utf8'), file, yaml);
    if (parsed.defaults !== undefined) {
      if (defaults !== undefined) fail(file, 'default-docker stands in another file of the directory too');
      defaults = parsed.defaults;
    }
    for (const [scope, section] of parsed.scopes) {
      const other = origins.get(scope);
      if (other !== undefined) fail(file, `docker.${JSON.stringify(scope)} stands in ${other} too`);
      origins.set(scope, file);
      scopes.set(scope, section);
    }
  }
  return { defaults: defaults ?? {}, scopes };
}

function yamlFilesIn(directory: string): readonly string[] {
  try {
    const names = readdirSync(directory).filter((name) => name.endsWith('.yaml'));
    return names.sort().map((name) => join(directory, name));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    return fail(directory, 'it cannot be read', cause);
  }
}

function fail(file: string, why: string, cause?: unknown): never {
  throw new BuilderError('trust.invalid', `the configuration of signature stores ${file} cannot be used: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    facts: { file },
  });
}

type Yaml = Pick<typeof import('yaml'), 'parseDocument'>;

/** Reads one file's text. @throws `trust.invalid` naming file, line or key */
export function parseSignatureStores(
  text: string,
  file: string,
  yaml: Yaml,
): { readonly defaults: SignatureSection | undefined; readonly scopes: ReadonlyMap<string, SignatureSection> } {
  const document = yaml.parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) {
    fail(`${file}:${error.linePos?.[0].line ?? 1}`, error.message.split('\n')[0]!.replace(/ at line.*/, ''));
  }
  const top = mapping(document.toJS(), file, '');
  const defaults = top['default-docker'];
  const docker = mapping(top['docker'], file, 'docker');
  return {
    defaults: defaults === undefined || defaults === null ? undefined : section(defaults, file, 'default-docker'),
    scopes: new Map(
      Object.entries(docker).map(([scope, value]) => [scope, section(value, file, `docker.${JSON.stringify(scope)}`)]),
    ),
  };
}

function mapping(value: unknown, file: string, key: string): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  return fail(file, key === '' ? 'it is not a mapping' : `key ${key}: expected a mapping`);
}

/** Keys that other tools may know are left to them; `sigstore` is what `lookaside` was called first. */
function section(value: unknown, file: string, key: string): SignatureSection {
  const all = mapping(value, file, key);
  const text = (...names: readonly string[]): string | undefined => {
    for (const name of names) {
      const found = all[name] ?? '';
      if (typeof found !== 'string') fail(file, `key ${key}.${name}: expected a string`);
      if (found !== '') return found;
    }
    return undefined;
  };
  const lookaside = text('lookaside', 'sigstore');
  const lookasideStaging = text('lookaside-staging', 'sigstore-staging');
  const attachments = all['use-sigstore-attachments'] ?? undefined;
  if (attachments !== undefined && typeof attachments !== 'boolean') {
    fail(file, `key ${key}.use-sigstore-attachments: expected true or false`);
  }
  return {
    ...(lookaside === undefined ? {} : { lookaside }),
    ...(lookasideStaging === undefined ? {} : { lookasideStaging }),
    ...(attachments === undefined ? {} : { useSigstoreAttachments: attachments }),
  };
}

/** From the image's own scope outwards, the defaults last. */
function sectionsFor(stores: SignatureStores, reference: QualifiedReference): readonly SignatureSection[] {
  const own = referenceScopes(reference).flatMap((scope) => stores.scopes.get(scope) ?? []);
  return [...own, stores.defaults];
}

/** The URL below which signatures of an image's repository are kept; undefined where no scope says one. */
export function lookasideOf(
  stores: SignatureStores,
  reference: QualifiedReference,
  access: 'read' | 'write',
): string | undefined {
  for (const { lookaside, lookasideStaging } of sectionsFor(stores, reference)) {
    const url = (access === 'write' ? lookasideStaging : undefined) ?? lookaside;
    if (url !== undefined) return url;
  }
  return undefined;
}

/** Whether signatures are kept as attachments, beside the images in their repository. */
export function usesAttachments(stores: SignatureStores, reference: QualifiedReference): boolean {
  for (const { useSigstoreAttachments } of sectionsFor(stores, reference)) {
    if (useSigstoreAttachments !== undefined) return useSigstoreAttachments;
  }
  return false;
}
