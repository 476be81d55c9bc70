/**
 * Which requirements of a policy hold for an image: those of the most specific scope alone, of whatever transport.
 * @see containers-policy.json(5), "Supported transports and their scopes"
 */
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { TransportName } from '../spec/image-name.ts';
import {
  formatReference,
  parseReference,
  type QualifiedReference,
  qualify,
  withDefaultTag,
} from '../spec/reference.ts';
import { referenceScopes } from '../spec/reference-scopes.ts';
import type { Policy, Requirement } from './policy.ts';

/** An image as a policy sees it. */
export interface ImageIdentity {
  readonly transport: TransportName;
  /** As the user named it, for messages: `docker://docker.io/library/alpine:latest`. */
  readonly name: string;
  /** The name signatures are compared with; undefined where images have none. */
  readonly reference: QualifiedReference | undefined;
  /** From the most specific on, without the transport's default. */
  readonly scopes: readonly string[];
}

/** The image a reference names, whatever mirror it comes from. */
export function registryIdentity(reference: QualifiedReference): ImageIdentity {
  const full = withDefaultTag(reference);
  return {
    transport: 'docker',
    name: `docker://${formatReference(full)}`,
    reference: full,
    scopes: referenceScopes(full),
  };
}

/**
 * The image at a location of a transport. Paths are followed through their symbolic links.
 * @param location what follows `transport:`, for docker without slashes
 */
export function locationIdentity(transport: TransportName, location: string): ImageIdentity {
  if (transport === 'docker') return registryIdentity(qualify(parseReference(location), 'docker.io'));
  const name = `${transport}:${location}`;
  switch (transport) {
    case 'dir':
      return { transport, name, reference: undefined, scopes: pathScopes(location) };
    case 'oci':
    case 'oci-archive': {
      const colon = location.indexOf(':');
      const path = colon === -1 ? location : location.slice(0, colon);
      return { transport, name, reference: undefined, scopes: pathScopes(path) };
    }
    case 'docker-archive':
      return { transport, name, reference: archivedName(location), scopes: [] };
    case 'docker-daemon': {
      const reference = daemonName(location);
      return { transport, name, reference, scopes: reference === undefined ? [] : referenceScopes(reference) };
    }
    case 'containers-storage':
      return { transport, name, ...storageIdentity(location) };
  }
}

/**
 * What the policy demands of the image; never empty.
 * @throws `trust.invalid` where it has rules for storages and the name does not say which storage is meant
 */
export function requirementsFor(policy: Policy, image: ImageIdentity): readonly Requirement[] {
  const scopes = policy.transports.get(image.transport);
  if (scopes === undefined) return policy.default;
  for (const scope of image.scopes) {
    const found = scopes.get(scope);
    if (found !== undefined) return found;
  }
  if (
    image.transport === 'containers-storage' &&
    image.scopes.length === 0 &&
    [...scopes.keys()].some((s) => s !== '')
  ) {
    throw new BuilderError(
      'trust.invalid',
      `cannot tell which rules of ${policy.file.name} hold for ${image.name}: they are for certain storages`,
      { hint: 'name the storage: containers-storage:[DRIVER@/GRAPH/ROOT]NAME' },
    );
  }
  return scopes.get('') ?? policy.default;
}

/** The path and all directories above it but the root. */
function pathScopes(path: string): readonly string[] {
  const scopes: string[] = [];
  for (let at = resolved(path); at !== '/'; at = dirname(at)) scopes.push(at);
  return scopes;
}

function resolved(path: string): string {
  const whole = resolve(path);
  try {
    return realpathSync(whole);
  } catch {
    // What does not exist cannot be read, but must not get other rules than its directory.
    return whole === '/' ? whole : join(resolved(dirname(whole)), basename(whole));
  }
}

function archivedName(location: string): QualifiedReference | undefined {
  const colon = location.indexOf(':');
  return colon === -1 ? undefined : nameIn(location.slice(colon + 1));
}

/** Image ids, whole or `sha256:…`, are no names. */
function daemonName(location: string): QualifiedReference | undefined {
  return /^sha256:[0-9a-f]{64}$/.test(location) ? undefined : nameIn(location);
}

function nameIn(text: string): QualifiedReference | undefined {
  try {
    return withDefaultTag(qualify(parseReference(text), 'docker.io'));
  } catch {
    return undefined;
  }
}

/** `[DRIVER@ROOT+RUNROOT:OPTIONS]NAME@ID`: scopes exist for storages whose driver and root are said. */
function storageIdentity(location: string): Pick<ImageIdentity, 'reference' | 'scopes'> {
  const close = location.startsWith('[') ? location.indexOf(']') : -1;
  const place = /^(?:([^@]*)@)?([^+:]+)/.exec(location.slice(1, Math.max(close, 1)));
  const [, driver, root] = place ?? [];
  const image = location.slice(close + 1);
  const at = image.lastIndexOf('@');
  const id = at !== -1 && /^[0-9a-f]{3,64}$/.test(image.slice(at + 1)) ? image.slice(at + 1) : undefined;
  const reference = nameIn(id === undefined ? image : image.slice(0, at));
  if (root === undefined || driver === undefined || driver === '') return { reference, scopes: [] };
  const store = `[${driver}@${root}]`;
  const names = reference === undefined ? [] : referenceScopes(reference).filter((scope) => !scope.startsWith('*.'));
  const whole = id === undefined ? [] : [`${names[0] ?? ''}@${id}`];
  return { reference, scopes: [...[...whole, ...names].map((scope) => `${store}${scope}`), store, `[${root}]`] };
}
