/**
 * One repository of a registry as a place images are read from and written to.
 * @see OCI distribution-spec 1.1
 */
import { verified } from '../archive/verify.ts';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type Digest, digestOf, parseDigest } from '../spec/digest.ts';
import type { ImageIndex } from '../spec/manifest.ts';
import { isIndex, isManifest, MEDIA } from '../spec/media-type.ts';
import { formatReference, type Reference } from '../spec/reference.ts';
import { MAX_DOCUMENT_BYTES, parseManifest } from '../spec/schema.ts';
import type { Bytes, Cancellable, MountsBlobs, Target } from '../spec/target.ts';
import { openBlob } from './blob-download.ts';
import { placeOf, type UploadPlace, uploadBlob, uploadUnsized } from './blob-upload.ts';
import { readBounded } from './bounded-body.ts';
import type { HttpResponse } from './http-exchange.ts';
import { followable } from './private-address.ts';
import { extendReferrers, type ReferrersList, reduceReferrers, referrersTag, subjectOf } from './referrers-tag.ts';
import { errorOfResponse } from './registry-error.ts';
import { RegistrySession, type SessionOptions, type SessionRequest } from './session.ts';

/** How to reach the registry and as whom. */
export type RepositoryOptions = SessionOptions;

const ACCEPT = [MEDIA.ociIndex, MEDIA.dockerList, MEDIA.ociManifest, MEDIA.dockerManifest].join(', ');
const MAX_TAGS_PAGE_BYTES = 4 * 1024 * 1024;
/** Pages of tags that are followed; a list that never ends would otherwise hold a pull for ever. */
const MAX_TAG_PAGES = 1000;
/** Manifests kept between `resolve`/`push` and `open`/`tag`, so that none is fetched twice. */
const KEPT_MANIFESTS = 32;

export interface Repository extends Target, MountsBlobs, AsyncDisposable {
  /** `registry/path` */
  readonly name: string;
  readonly registry: string;
  /** Every tag, as the registry orders them. */
  tags(o?: Cancellable): Promise<readonly string[]>;
  /** Stores a manifest or index under a tag in one request. */
  pushNamed(d: Descriptor, content: Bytes, name: string, o?: Cancellable): Promise<void>;
  /** Deletes a manifest or index, and with it every tag of it. @throws `image.not-known`, `registry.request-failed` */
  deleteManifest(digest: Digest, o?: Cancellable): Promise<void>;
  /** Stores a blob whose digest is only known at the end of its content. */
  pushUnsized(content: Bytes, o?: Cancellable): Promise<{ readonly digest: Digest; readonly size: number }>;
}

/**
 * Opens the repository a reference names; nothing is sent before the first operation.
 * @throws `reference.invalid` for a short name
 */
export function openRepository(ref: Reference, options: RepositoryOptions = {}): Repository {
  if (ref.registry === undefined) {
    throw new BuilderError('reference.invalid', `the image name ${formatReference(ref)} does not say which registry`);
  }
  return new RegistryRepository(ref.registry, ref.repository, options);
}

/** Whether `registry` takes these credentials. @throws `registry.unauthorized` */
export async function checkLogin(registry: string, options: RepositoryOptions): Promise<void> {
  const session = new RegistrySession(registry, '', options);
  try {
    await session.ping();
  } finally {
    session.close();
  }
}

class RegistryRepository implements Repository {
  readonly registry: string;
  readonly #path: string;
  readonly #session: RegistrySession;
  readonly #pull: readonly string[];
  readonly #push: readonly string[];
  readonly #manifests = new Map<Digest, Uint8Array>();
  readonly #begun = new Map<Digest, UploadPlace>();

  constructor(registry: string, path: string, options: RepositoryOptions) {
    this.registry = registry;
    this.#path = path;
    this.#session = new RegistrySession(registry, path, options);
    this.#pull = [`repository:${path}:pull`];
    this.#push = [`repository:${path}:pull,push`];
  }

  get name(): string {
    return `${this.registry}/${this.#path}`;
  }

  async resolve(name: string, o: Cancellable = {}): Promise<Descriptor> {
    const reference = name === '' ? 'latest' : name;
    const request: SessionRequest = {
      purpose: `fetch manifest ${reference} of ${this.name}`,
      method: 'GET',
      target: `${this.#path}/manifests/${reference}`,
      headers: { Accept: ACCEPT },
      scopes: this.#pull,
      expect: [200],
      signal: o.signal,
    };
    return this.#session.receive(request, (response) => this.#takeManifest(reference, response));
  }

  /** Checks everything that can be checked about an answer before it becomes a descriptor. */
  async #takeManifest(reference: string, response: HttpResponse): Promise<Descriptor> {
    const type = response.header('content-type');
    if (type?.toLowerCase().startsWith('text/html') === true) throw this.#portal(reference, response);
    const what = `the manifest ${reference} of ${this.name}`;
    const { content, isTruncated } = await readBounded(response.body, MAX_DOCUMENT_BYTES);
    if (isTruncated) {
      throw new BuilderError('manifest.invalid', `${what} is refused: it is larger than ${MAX_DOCUMENT_BYTES} bytes`);
    }
    const digest = digestOf(content);
    const promised = [response.header('docker-content-digest'), parseDigest(reference)];
    for (const expected of promised) {
      if (expected === undefined || expected === digest) continue;
      throw new BuilderError(
        'blob.digest-mismatch',
        `${what} is refused: it was said to be ${printable(expected)}, but is ${digest}`,
      );
    }
    const { mediaType } = parseManifest(content, type, `${reference} of ${this.name}`);
    this.#keep(digest, content);
    return { mediaType, digest, size: content.length };
  }

  #portal(reference: string, response: HttpResponse): BuilderError {
    response.discard();
    return new BuilderError(
      'registry.not-a-registry',
      `${this.registry} is not a registry: it answered the request for manifest ${reference} with a web page`,
      { hint: 'check the host name; a proxy or the login page of a network may be answering in its place' },
    );
  }

  #keep(digest: Digest, content: Uint8Array): void {
    this.#manifests.set(digest, content);
    for (const oldest of this.#manifests.keys()) {
      if (this.#manifests.size <= KEPT_MANIFESTS) break;
      this.#manifests.delete(oldest);
    }
  }

  async exists(d: Descriptor, o: Cancellable = {}): Promise<boolean> {
    const isDocument = isManifest(d.mediaType) || isIndex(d.mediaType);
    const response = await this.#session.request({
      purpose: `look for ${d.digest} in ${this.name}`,
      method: 'HEAD',
      target: `${this.#path}/${isDocument ? 'manifests' : 'blobs'}/${d.digest}`,
      headers: isDocument ? { Accept: ACCEPT } : {},
      scopes: this.#pull,
      expect: [200, 404],
      signal: o.signal,
    });
    response.discard();
    return response.status === 200;
  }

  async open(d: Descriptor, o: Cancellable = {}): Promise<Bytes> {
    if (isManifest(d.mediaType) || isIndex(d.mediaType)) return this.#openManifest(d, o);
    return openBlob({
      session: this.#session,
      repository: this.#path,
      scopes: this.#pull,
      blob: d,
      signal: o.signal,
    });
  }

  async #openManifest(d: Descriptor, o: Cancellable): Promise<Bytes> {
    if (!this.#manifests.has(d.digest)) {
      const found = await this.resolve(d.digest, o);
      if (found.size !== d.size) {
        throw new BuilderError(
          'blob.digest-mismatch',
          `the manifest ${d.digest} of ${this.name} has ${found.size} instead of ${d.size} bytes`,
        );
      }
    }
    return once(this.#manifests.get(d.digest)!);
  }

  async push(expected: Descriptor, content: Bytes, o: Cancellable = {}): Promise<void> {
    if (isManifest(expected.mediaType) || isIndex(expected.mediaType)) {
      return this.pushNamed(expected, content, expected.digest, o);
    }
    const begun = this.#begun.get(expected.digest);
    this.#begun.delete(expected.digest);
    await uploadBlob(this.#upload(o), expected, content, begun);
  }

  async pushNamed(d: Descriptor, content: Bytes, name: string, o: Cancellable = {}): Promise<void> {
    const { content: bytes } = await readBounded(verified(content, d, `manifest ${d.digest}`), MAX_DOCUMENT_BYTES);
    this.#keep(d.digest, bytes);
    await this.#putManifest(d, bytes, name === '' ? 'latest' : name, o);
  }

  async tag(d: Descriptor, name: string, o: Cancellable = {}): Promise<void> {
    const kept = this.#manifests.get(d.digest);
    const bytes = kept ?? (await readBounded(await this.#openManifest(d, o), MAX_DOCUMENT_BYTES)).content;
    await this.#putManifest(d, bytes, name === '' ? 'latest' : name, o);
  }

  async #putManifest(d: Descriptor, bytes: Uint8Array, reference: string, o: Cancellable): Promise<void> {
    const response = await this.#session.request({
      purpose: `store manifest ${reference} in ${this.name}`,
      method: 'PUT',
      target: `${this.#path}/manifests/${reference}`,
      headers: { 'Content-Type': d.mediaType },
      body: bytes,
      scopes: this.#push,
      expect: [200, 201, 202, 204],
      signal: o.signal,
    });
    response.discard();
    const stored = response.header('docker-content-digest');
    const subject = subjectOf(bytes);
    // A registry that keeps the list of referrers itself says so.
    if (subject !== undefined && response.header('oci-subject') === undefined) {
      await this.#changeReferrers(subject.digest, (before) => extendReferrers(before, d, bytes), o);
    }
    if (stored !== undefined && stored !== d.digest) {
      throw new BuilderError(
        'blob.digest-mismatch',
        `registry ${this.registry} stored manifest ${d.digest} as ${printable(stored)}`,
      );
    }
  }

  /** Changes the list of what refers to a manifest, for a registry that does not keep it. */
  async #changeReferrers(
    subject: Digest,
    change: (before: ImageIndex | undefined) => ReferrersList | undefined,
    o: Cancellable,
  ): Promise<void> {
    const tag = referrersTag(subject);
    const after = change(await this.#referrers(tag, o));
    if (after !== undefined) await this.#putManifest(after.descriptor, after.bytes, tag, o);
  }

  async #referrers(tag: string, o: Cancellable): Promise<ImageIndex | undefined> {
    const request: SessionRequest = {
      purpose: `look for what refers to ${tag.replace('-', ':')} in ${this.name}`,
      method: 'GET',
      target: `${this.#path}/manifests/${tag}`,
      headers: { Accept: MEDIA.ociIndex },
      scopes: this.#push,
      expect: [200, 404],
      signal: o.signal,
    };
    const found = await this.#session.receive(request, (response) => {
      if (response.status !== 404) return this.#takeManifest(tag, response);
      response.discard();
      return undefined;
    });
    if (found === undefined) return undefined;
    const { digest, mediaType } = found;
    const parsed = parseManifest(this.#manifests.get(digest)!, mediaType, `${tag} of ${this.name}`);
    if (parsed.kind === 'index') return parsed.value;
    throw new BuilderError('manifest.invalid', `the tag ${tag} of ${this.name} is no list of referrers, but an image`, {
      hint: 'delete the tag: it is where registries without the referrers API keep that list',
    });
  }

  async pushUnsized(content: Bytes, o: Cancellable = {}): Promise<{ readonly digest: Digest; readonly size: number }> {
    return uploadUnsized(this.#upload(o), content);
  }

  #upload(o: Cancellable): {
    readonly session: RegistrySession;
    readonly repository: string;
    readonly scopes: readonly string[];
    readonly signal: AbortSignal | undefined;
  } {
    return { session: this.#session, repository: this.#path, scopes: this.#push, signal: o.signal };
  }

  async deleteManifest(digest: Digest, o: Cancellable = {}): Promise<void> {
    const subject = await this.#subjectOfStored(digest, o);
    const response = await this.#session.request({
      purpose: `delete manifest ${digest} of ${this.name}`,
      method: 'DELETE',
      target: `${this.#path}/manifests/${digest}`,
      scopes: [`repository:${this.#path}:pull,delete`],
      expect: [200, 202, 204, 404, 405],
      signal: o.signal,
    });
    response.discard();
    this.#manifests.delete(digest);
    if (response.status === 404) {
      throw new BuilderError('image.not-known', `cannot delete ${this.name}@${digest}: there is no such manifest`);
    }
    if (response.status === 405) {
      throw new BuilderError(
        'registry.request-failed',
        `cannot delete ${this.name}@${digest}: registry ${this.registry} does not let anybody delete`,
        { hint: 'switch deleting on in its configuration (REGISTRY_STORAGE_DELETE_ENABLED=true)' },
      );
    }
    // A list under a tag names it still; a registry that keeps the lists itself has no such tag.
    if (subject !== undefined) {
      const without = (before: ImageIndex | undefined) =>
        before === undefined ? undefined : reduceReferrers(before, digest);
      await this.#changeReferrers(subject.digest, without, o);
    }
  }

  /** What a stored manifest refers to; what is wrong with it is for the deletion to report, if it minds. */
  async #subjectOfStored(digest: Digest, o: Cancellable): Promise<Descriptor | undefined> {
    try {
      await this.resolve(digest, o);
    } catch (error) {
      if (isBuilderError(error)) return undefined;
      throw error;
    }
    return subjectOf(this.#manifests.get(digest)!);
  }

  async mountFrom(repository: string, d: Descriptor, o: Cancellable = {}): Promise<boolean> {
    const response = await this.#session.request({
      purpose: `mount blob ${d.digest} from ${repository} into ${this.name}`,
      method: 'POST',
      target: `${this.#path}/blobs/uploads/?mount=${encodeURIComponent(d.digest)}&from=${encodeURIComponent(repository)}`,
      scopes: [...this.#push, `repository:${repository}:pull`],
      // A registry that will not let us read there is no failure: the blob is sent instead.
      expect: [201, 202, 401, 403, 404],
      signal: o.signal,
    });
    if (response.status === 202) {
      this.#begun.set(d.digest, await placeOf(this.#upload(o), response));
      return false;
    }
    response.discard();
    return response.status === 201;
  }

  async tags(o: Cancellable = {}): Promise<readonly string[]> {
    const tags: string[] = [];
    let target: string | URL = `${this.#path}/tags/list`;
    for (let page = 0; page < MAX_TAG_PAGES; page++) {
      const request: SessionRequest = {
        purpose: `list the tags of ${this.name}`,
        method: 'GET',
        target,
        headers: { Accept: 'application/json' },
        scopes: this.#pull,
        expect: [200],
        signal: o.signal,
      };
      const { next, names } = await this.#session.receive(request, async (response) => ({
        next: await this.#nextPage(response),
        names: await this.#readTags(response),
      }));
      tags.push(...names);
      if (next === undefined) return tags;
      target = next;
    }
    throw new BuilderError(
      'registry.request-failed',
      `the tag list of ${this.name} has more than ${MAX_TAG_PAGES} pages`,
    );
  }

  async #nextPage(response: HttpResponse): Promise<URL | undefined> {
    const link = /<([^>]*)>\s*;\s*rel="?next"?/i.exec(response.header('link') ?? '')?.[1];
    if (link === undefined) return undefined;
    const base = await this.#session.base();
    const url = followable(link, response.url, base, 'page link');
    // Pages of one list live on one host; anywhere else is somebody's trick.
    if (url.host !== base.host) {
      response.discard();
      throw new BuilderError(
        'registry.request-failed',
        `registry ${base.host} gave a page link to ${url.host}, which is not followed`,
      );
    }
    return url;
  }

  async #readTags(response: HttpResponse): Promise<readonly string[]> {
    const { content, isTruncated } = await readBounded(response.body, MAX_TAGS_PAGE_BYTES);
    const attempt = { purpose: `list the tags of ${this.name}`, method: 'GET', url: response.url };
    let body: unknown;
    try {
      body = isTruncated ? undefined : JSON.parse(Buffer.from(content).toString('utf8'));
    } catch {
      body = undefined;
    }
    const tags = (body as { tags?: unknown } | undefined)?.tags ?? (body === undefined ? undefined : []);
    if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) {
      throw await errorOfResponse({ ...attempt, purpose: `${attempt.purpose}: the answer is no tag list` }, response);
    }
    return tags;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#session.close();
    return Promise.resolve();
  }
}

function printable(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

async function* once(content: Uint8Array): Bytes {
  yield content;
}
