/** Package URLs. @see ECMA-427, Package-URL specification */
import { formatPlatform, normalizePlatform, type Platform } from '../spec/platform.ts';
import { parseReference } from '../spec/reference.ts';
import type { Distribution } from './software.ts';

export interface PurlParts {
  readonly type: string;
  /** Segments joined by `/`; empty segments are dropped. */
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly version?: string | undefined;
  /** Those without a value are left out. */
  readonly qualifiers?: Readonly<Record<string, string | undefined>>;
  readonly subpath?: string | undefined;
}

/** `pkg:type/namespace/name@version?qualifiers#subpath`, qualifiers sorted, with the type's rules for names applied. */
export function formatPurl(parts: PurlParts): string {
  const { type, namespace, name } = normalized(parts);
  const path = [...(namespace ?? '').split('/').filter((segment) => segment !== ''), name].map(encode).join('/');
  const version = parts.version === undefined || parts.version === '' ? '' : `@${encode(parts.version)}`;
  const qualifiers = Object.entries(parts.qualifiers ?? {})
    .filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${encode(value)}`)
    .join('&');
  const subpath = (parts.subpath ?? '')
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.' && segment !== '..')
    .map(encode)
    .join('/');
  return `pkg:${type}/${path}${version}${qualifiers === '' ? '' : `?${qualifiers}`}${subpath === '' ? '' : `#${subpath}`}`;
}

/** Everything but unreserved characters and the colon, which the specification keeps as it is. */
function encode(text: string): string {
  return encodeURIComponent(text)
    .replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%3A', ':');
}

const LOWERCASE = new Set(['deb', 'apk', 'golang', 'composer', 'github', 'bitbucket']);

function normalized(parts: PurlParts): Pick<PurlParts, 'type' | 'namespace' | 'name'> {
  const type = parts.type.toLowerCase();
  if (type === 'pypi') return { type, name: parts.name.toLowerCase().replaceAll('_', '-') };
  if (LOWERCASE.has(type)) {
    return { type, namespace: parts.namespace?.toLowerCase(), name: parts.name.toLowerCase() };
  }
  if (type === 'rpm') return { type, namespace: parts.namespace?.toLowerCase(), name: parts.name };
  return { type, namespace: parts.namespace, name: parts.name };
}

/** The value of the qualifier `distro`: `debian-12`, or with the codename where there is no version. */
export function distroQualifier(distribution: Distribution | undefined): string | undefined {
  if (distribution === undefined) return undefined;
  const release = distribution.versionId ?? distribution.codename;
  return release === undefined ? distribution.id : `${distribution.id}-${release}`;
}

/** `pkg:npm/%40scope/name@version` from a name as npm spells it. */
export function npmPurl(name: string, version: string): string {
  const slash = name.startsWith('@') ? name.indexOf('/') : -1;
  return formatPurl({
    type: 'npm',
    namespace: slash === -1 ? undefined : name.slice(0, slash),
    name: name.slice(slash + 1),
    version,
  });
}

/**
 * `pkg:docker/…` of an image reference, as BuildKit writes it: the familiar name, the tag as version (`latest` when
 * there is neither tag nor digest), a digest as qualifier.
 * @throws `reference.invalid`
 */
export function imagePurl(reference: string, platform?: Platform): string {
  const { name, tag, digest } = familiar(reference);
  const slash = name.lastIndexOf('/');
  return formatPurl({
    type: 'docker',
    namespace: slash === -1 ? undefined : name.slice(0, slash),
    name: name.slice(slash + 1),
    version: tag ?? (digest === undefined ? 'latest' : undefined),
    qualifiers: {
      digest,
      platform: platform === undefined ? undefined : formatPlatform(normalizePlatform(platform)),
    },
  });
}

/** The name as Docker shows it, without `docker.io/library/`; a tag beside a digest is kept. */
function familiar(reference: string): { readonly name: string; readonly tag?: string; readonly digest?: string } {
  const { digest } = parseReference(reference);
  const at = reference.indexOf('@');
  const { registry, repository, tag } = parseReference(at === -1 ? reference : reference.slice(0, at));
  const short = repository.startsWith('library/') ? repository.slice('library/'.length) : repository;
  return {
    name: registry === undefined ? repository : registry === 'docker.io' ? short : `${registry}/${repository}`,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}
