/** Sources in the words of source policies, and back: what a policy makes of an image, a download, a repository. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Engine } from '../container/engine.ts';
import { isGitUrl, parseGitUrl } from '../container/git-url.ts';
import { meanings, registriesConf } from '../container/short-names.ts';
import { BuilderError } from '../report/builder-error.ts';
import { parseImageName } from '../spec/image-name.ts';
import { applyPolicy, type PolicySource, parseSourcePolicy, type SourcePolicy } from './source-policy.ts';

const IMAGE = 'docker-image://';
const LAYOUT = 'oci-layout://';

/** A policy at work on one machine. */
export class SourceRules {
  readonly #engine: Engine;
  readonly #policy: SourcePolicy;

  constructor(engine: Engine, policy: SourcePolicy) {
    this.#engine = engine;
    this.#policy = policy;
  }

  /** @param file relative to the engine's directory. @throws `policy.invalid` */
  static read(engine: Engine, file: string): SourceRules {
    const path = resolve(engine.cwd, file);
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (cause) {
      throw new BuilderError('policy.invalid', `cannot read the source policy ${path}`, { cause });
    }
    return new SourceRules(engine, parseSourcePolicy(text, path));
  }

  image(reference: string): string {
    return allowedImage(this.#engine, this.#policy, reference);
  }

  found(reference: string, found: FoundNames): void {
    requireFoundAllowed(this.#policy, reference, found);
  }

  fetch(asked: Download): Download {
    return allowedFetch(this.#policy, asked);
  }

  local(name: string): void {
    requireLocalAllowed(this.#policy, name);
  }
}

/**
 * What is read in the place of an image. A short name is judged by every full name it may mean.
 * @throws `policy.denied`
 */
export function allowedImage(engine: Engine, policy: SourcePolicy, reference: string): string {
  const { transport, location } = parseImageName(reference);
  if (transport !== undefined && transport !== 'docker') {
    const scheme = transport === 'oci' ? LAYOUT : `${transport}://`;
    const identifier = `${scheme}${location}`;
    const { identifier: next } = applyPolicy(policy, { identifier, attrs: {} });
    return next === identifier ? reference : imageOf(policy, identifier, next);
  }
  const names = meanings(location, registriesConf(engine));
  let converted: string | undefined;
  for (const name of names.length === 0 ? [location] : names) {
    const identifier = `${IMAGE}${name}`;
    const { identifier: next } = applyPolicy(policy, { identifier, attrs: {} });
    if (next !== identifier) converted ??= imageOf(policy, identifier, next);
  }
  return converted ?? reference;
}

/**
 * Judges an image by the names it turned out to have: one that is asked for by its id has none that a rule could fit.
 * @param reference as it was asked for, after the policy. @throws `policy.denied`
 */
export function requireFoundAllowed(policy: SourcePolicy, reference: string, found: FoundNames): void {
  const { transport } = parseImageName(reference);
  if (transport !== undefined && transport !== 'docker') return;
  for (const name of found.name === '' ? found.names : [found.name]) {
    applyPolicy(policy, { identifier: `${IMAGE}${name}`, attrs: {} });
  }
}

function imageOf(policy: SourcePolicy, from: string, to: string): string {
  if (to.startsWith(IMAGE)) return to.slice(IMAGE.length);
  if (to.startsWith(LAYOUT)) return `oci:${to.slice(LAYOUT.length)}`;
  throw cannotConvert(policy, from, to);
}

interface FoundNames {
  /** Full name it was found under; '' for none. */
  readonly name: string;
  readonly names: readonly string[];
}

interface Download {
  readonly url: string;
  readonly checksum: string | undefined;
}

/** What is fetched in the place of a URL. @throws `policy.denied` */
export function allowedFetch(policy: SourcePolicy, asked: Download): Download {
  const source = sourceOf(asked);
  const next = applyPolicy(policy, source);
  if (next === source) return asked;
  const url = next.identifier === source.identifier && !isNewPlace(source, next) ? asked.url : urlOf(source, next);
  if (!isGitUrl(url) && !/^https?:\/\//.test(url)) throw cannotConvert(policy, source.identifier, next.identifier);
  const checksum = next.attrs[isGitUrl(url) ? 'git.checksum' : 'http.checksum'];
  return { url, checksum: checksum === undefined || checksum === '' ? undefined : checksum };
}

function isNewPlace(before: PolicySource, after: PolicySource): boolean {
  return before.attrs['git.fullurl'] !== after.attrs['git.fullurl'];
}

/** BuildKit writes repositories without scheme and user: `git://host/path#ref:directory`. */
function sourceOf({ url, checksum }: Download): PolicySource {
  if (!isGitUrl(url)) {
    return { identifier: url, attrs: checksum === undefined ? {} : { 'http.checksum': checksum } };
  }
  const { remote, ref = '', subdirectory, checksum: own } = parseGitUrl(url);
  const pinned = checksum ?? own;
  const fragment = ref === '' && subdirectory === '' ? '' : `#${ref}${subdirectory === '' ? '' : `:${subdirectory}`}`;
  return {
    identifier: `git://${placeOf(remote)}${fragment}`,
    attrs: { 'git.fullurl': remote, ...(pinned === undefined ? {} : { 'git.checksum': pinned }) },
  };
}

/** Host and path of a remote, whatever it is spoken to with. */
function placeOf(remote: string): string {
  const url = /^[a-z][a-z+.-]*:\/\/(?:[^/@]*@)?(.*)$/.exec(remote)?.[1];
  return url ?? remote.replace(/^[^@]*@/, '').replace(':', '/');
}

/** The remote stays how it is spoken to while its place stays the same. */
function urlOf(before: PolicySource, after: PolicySource): string {
  const place = /^git:\/\/([^#]*)(.*)$/s.exec(after.identifier);
  if (place === null) return after.identifier;
  const [, where = '', fragment = ''] = place;
  const remote = after.attrs['git.fullurl'];
  if (remote !== undefined && isNewPlace(before, after)) return `${remote}${fragment}`;
  if (remote !== undefined && placeOf(remote) === where) return `${remote}${fragment}`;
  return `https://${where}${fragment}`;
}

/** @param name `context`, or that of a named context. @throws `policy.denied` */
export function requireLocalAllowed(policy: SourcePolicy, name: string): void {
  const identifier = `local://${name}`;
  const next = applyPolicy(policy, { identifier, attrs: {} });
  if (next.identifier !== identifier) throw cannotConvert(policy, identifier, next.identifier);
}

function cannotConvert({ path }: SourcePolicy, from: string, to: string): BuilderError {
  return new BuilderError(
    'policy.invalid',
    `the source policy ${path} converts ${from} to ${to}, which is a source of another kind`,
  );
}
