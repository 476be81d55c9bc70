/**
 * Names of images: `[registry[:port]/]path[:tag][@digest]`. Text becomes a `Reference` once, at the border; inside,
 * nothing looks at the text again. A name whose first component is no registry is a *short name*: which registry it
 * means is decided elsewhere (aliases, search registries), never guessed here.
 *
 * @see OCI distribution-spec 1.1, "Pulling manifests"; the reference grammar of docker/distribution
 */
import { BuilderError } from '../report/builder-error.ts';
import { type Digest, parseDigest } from './digest.ts';

export interface Reference {
  /** `host` or `host:port` in lower case; undefined for a short name. Docker Hub is always `docker.io`. */
  readonly registry: string | undefined;
  /** Path inside the registry, `library/` included for official images of docker.io. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** A reference whose registry is known. */
export type QualifiedReference = Reference & { readonly registry: string };

/** Characters; as long as a path may be, far beyond any real name. */
export const MAX_REFERENCE_LENGTH = 4096;
/** Characters of registry and repository together, as docker/distribution counts them. */
const MAX_NAME_LENGTH = 255;

const DOCKER_IO = 'docker.io';
const HOST_COMPONENT = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const REGISTRY = new RegExp(`^(?:${HOST_COMPONENT}(?:\\.${HOST_COMPONENT})*|\\[[0-9a-fA-F:]+\\])(?::([0-9]{1,5}))?$`);
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const IMAGE_ID = /^[0-9a-f]{64}$/;

function invalid(text: string, reason: string, hint?: string): BuilderError {
  const shown = text.length > 120 ? `${text.slice(0, 120)}…` : text;
  return new BuilderError('reference.invalid', `invalid image name ${JSON.stringify(shown)}: ${reason}`, {
    ...(hint === undefined ? {} : { hint }),
    facts: { reference: shown },
  });
}

/** Whether the first component of a name is a registry rather than the first part of a path. */
function looksLikeRegistry(component: string): boolean {
  return component === 'localhost' || /[.:]/.test(component) || component.startsWith('[') || /[A-Z]/.test(component);
}

/**
 * Splits an image name into its parts. Docker Hub's names take their full form (`docker.io/alpine` becomes
 * `docker.io/library/alpine`); in `name:tag@digest` the digest decides and the tag is dropped.
 *
 * @param text at most 4096 characters
 * @throws `reference.invalid` with the reason; also for a bare image id, which names nothing in a registry
 */
export function parseReference(text: string): Reference {
  if (text === '') throw invalid(text, 'it is empty');
  if (text.length > MAX_REFERENCE_LENGTH) throw invalid(text, `it is longer than ${MAX_REFERENCE_LENGTH} characters`);
  if (IMAGE_ID.test(text)) throw invalid(text, 'it is an image id, not a name');
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : digestOfReference(text, text.slice(at + 1));
  const { name, tag } = splitTag(text, at === -1 ? text : text.slice(0, at));
  const { registry, repository } = splitRegistry(text, name);
  if ((registry?.length ?? -1) + 1 + repository.length > MAX_NAME_LENGTH) {
    throw invalid(text, `registry and repository are longer than ${MAX_NAME_LENGTH} characters`);
  }
  if (digest !== undefined) return { registry, repository, digest };
  return { registry, repository, ...(tag === undefined ? {} : { tag }) };
}

function digestOfReference(text: string, after: string): Digest {
  const digest = parseDigest(after);
  if (digest === undefined) throw invalid(text, 'the part after "@" is not sha256: and 64 lowercase hex digits');
  return digest;
}

function splitTag(text: string, name: string): { readonly name: string; readonly tag?: string } {
  const colon = name.lastIndexOf(':');
  if (colon === -1 || colon < name.lastIndexOf('/') || name.lastIndexOf(']') > colon) return { name };
  const tag = name.slice(colon + 1);
  if (!TAG.test(tag)) {
    throw invalid(
      text,
      tag === ''
        ? 'the tag is empty'
        : tag.length > 128
          ? 'the tag is longer than 128 characters'
          : 'a tag is letters, digits, "_", "." and "-", and starts with neither "." nor "-"',
    );
  }
  return { name: name.slice(0, colon), tag };
}

function splitRegistry(text: string, name: string): { readonly registry: string | undefined; repository: string } {
  const slash = name.indexOf('/');
  const first = slash === -1 ? undefined : name.slice(0, slash);
  const qualified = first !== undefined && looksLikeRegistry(first);
  const registry = qualified ? checkRegistry(text, first) : undefined;
  const repository = qualified ? name.slice(slash + 1) : name;
  checkRepository(text, repository);
  if (registry !== DOCKER_IO) return { registry, repository };
  return { registry, repository: repository.includes('/') ? repository : `library/${repository}` };
}

function checkRegistry(text: string, registry: string): string {
  const match = REGISTRY.exec(registry);
  if (match === null) throw invalid(text, `${JSON.stringify(registry)} is not a host name with an optional port`);
  if (match[1] !== undefined && (Number(match[1]) > 65535 || Number(match[1]) === 0)) {
    throw invalid(text, `port ${match[1]} is not between 1 and 65535`);
  }
  const host = registry.toLowerCase();
  return host === 'index.docker.io' ? DOCKER_IO : host;
}

function checkRepository(text: string, repository: string): void {
  for (const component of repository.split('/')) {
    if (PATH_COMPONENT.test(component)) continue;
    if (component === '') throw invalid(text, 'a path component is empty');
    if (/[A-Z]/.test(component)) {
      throw invalid(text, `repository names are lower case, ${JSON.stringify(component)} is not`);
    }
    throw invalid(
      text,
      `path component ${JSON.stringify(component)} is not lowercase letters and digits joined by ".", "_", "__" or "-"`,
    );
  }
}

/** `registry/repository`, or the repository alone for a short name: the reference without tag and digest. */
export function repositoryName(ref: Reference): string {
  return ref.registry === undefined ? ref.repository : `${ref.registry}/${ref.repository}`;
}

/** The full text of a reference; `parseReference` gives an equal value back. */
export function formatReference(ref: Reference): string {
  const suffix = ref.digest !== undefined ? `@${ref.digest}` : ref.tag !== undefined ? `:${ref.tag}` : '';
  return `${repositoryName(ref)}${suffix}`;
}

/** As people write it: without `docker.io/library/`, `docker.io/` and `:latest`. */
export function familiarName(ref: Reference): string {
  const { registry, repository, tag, digest } = ref;
  const official = registry === DOCKER_IO && /^library\/[^/]+$/.test(repository);
  const name = official
    ? repository.slice('library/'.length)
    : registry === DOCKER_IO
      ? repository
      : repositoryName(ref);
  if (digest !== undefined) return `${name}@${digest}`;
  return tag === undefined || tag === 'latest' ? name : `${name}:${tag}`;
}

export function isQualified(ref: Reference): ref is QualifiedReference {
  return ref.registry !== undefined;
}

/** Puts a short name into `registry`; a reference that has one already keeps its own. */
export function qualify(ref: Reference, registry: string): QualifiedReference {
  if (isQualified(ref)) return ref;
  const official = registry === DOCKER_IO && !ref.repository.includes('/');
  return { ...ref, registry, repository: official ? `library/${ref.repository}` : ref.repository };
}

/** Adds the tag `latest` where there is neither tag nor digest. */
export function withDefaultTag<R extends Reference>(ref: R): R {
  return ref.tag === undefined && ref.digest === undefined ? { ...ref, tag: 'latest' } : ref;
}

/** The name an image gets that is made here: a short name goes under `localhost/`, a missing tag becomes `latest`. */
export function localReference(text: string): QualifiedReference {
  return withDefaultTag(qualify(parseReference(text), 'localhost'));
}
