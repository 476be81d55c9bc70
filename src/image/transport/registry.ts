/**
 * `docker://NAME`: a repository of a registry, reached as registries.conf says: mirrors first when reading, the primary
 * location only when writing. A name without a registry is one of docker.io here, as in every tool with this transport.
 */
import { readImageSignatures } from '../../registry/image-signatures.ts';
import { type ImageSource, pullSources, pushDestination } from '../../registry/image-source.ts';
import { loadRegistriesConf } from '../../registry/registries-conf.ts';
import { openRepository, type Repository, type RepositoryOptions } from '../../registry/repository.ts';
import { requireSignatureStore, writeImageSignatures } from '../../registry/write-signatures.ts';
import { isBuilderError } from '../../report/builder-error.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import type { ImageSignature } from '../../spec/image-signature.ts';
import { parseReference, type QualifiedReference, qualify, withDefaultTag } from '../../spec/reference.ts';
import type { Bytes, Cancellable, MountsBlobs } from '../../spec/target.ts';
import type { HoldsSignatures } from '../admission.ts';
import type { KeepsSignatures } from '../image-signer.ts';
import type { OpenOptions, OpenTarget, Transport } from './transport.ts';

export const registryTransport: Transport = {
  scheme: 'docker',
  async open(location, access, o = {}) {
    return openRegistryImage(qualify(parseReference(location), 'docker.io'), access, o);
  },
};

/** A repository together with the tag or digest its location names. */
export function openRegistryImage(
  ref: QualifiedReference,
  access: 'read' | 'write',
  o: OpenOptions = {},
): RegistryImage {
  const conf = o.registriesConf ?? loadRegistriesConf({ env: o.registry?.env });
  const sources = access === 'read' ? pullSources(ref, conf) : [pushDestination(ref, conf)];
  const signal = o.registry?.signal ?? o.signal;
  const { credentialHelpers, retry } = conf;
  return new RegistryImage(withDefaultTag(ref), sources, {
    credentialHelpers,
    ...o.registry,
    retries: o.registry?.retries ?? retry?.retries,
    retryDelayMs: o.registry?.retryDelayMs ?? retry?.delayMs,
    signal,
  });
}

export class RegistryImage implements OpenTarget, MountsBlobs, HoldsSignatures, KeepsSignatures {
  readonly #name: string;
  readonly #sources: readonly ImageSource[];
  readonly #options: RepositoryOptions;
  readonly #open: Repository[] = [];
  /** The source that answered; asked first from then on. */
  #current = 0;

  constructor(ref: QualifiedReference, sources: readonly ImageSource[], options: RepositoryOptions) {
    this.#name = ref.digest ?? ref.tag ?? 'latest';
    this.#sources = sources;
    this.#options = options;
  }

  #repository(i: number): Repository {
    const { reference, insecure, isMirror } = this.#sources[i]!;
    this.#open[i] ??= openRepository(reference, {
      ...this.#options,
      tlsVerify: this.#options.tlsVerify ?? !insecure,
      // Credentials given by hand are for the registry that was named.
      ...(isMirror ? { creds: undefined } : {}),
    });
    return this.#open[i];
  }

  /** Asks the sources in turn; the last one's error counts, it is that of the registry that was named. */
  async #ask<T>(action: (repository: Repository) => Promise<T>): Promise<T> {
    for (let i = this.#current; ; i++) {
      try {
        const answer = await action(this.#repository(i));
        this.#current = i;
        return answer;
      } catch (error) {
        // Cancelling is no failure of a mirror.
        if (i === this.#sources.length - 1 || !isBuilderError(error)) throw error;
      }
    }
  }

  get #destination(): Repository {
    return this.#repository(this.#sources.length - 1);
  }

  resolve(name: string, o: Cancellable = {}): Promise<Descriptor> {
    return this.#ask((repository) => repository.resolve(name === '' ? this.#name : name, o));
  }

  exists(d: Descriptor, o: Cancellable = {}): Promise<boolean> {
    return this.#ask((repository) => repository.exists(d, o));
  }

  open(d: Descriptor, o: Cancellable = {}): Promise<Bytes> {
    return this.#ask((repository) => repository.open(d, o));
  }

  /** Of the place that answered: a mirror may have its own. */
  signaturesOf(manifest: Digest): Promise<readonly ImageSignature[]> {
    const { env, retries, retryDelayMs, signal } = this.#options;
    return readImageSignatures(this.#repository(this.#current), this.#sources[this.#current]!.reference, manifest, {
      env: env ?? process.env,
      retries,
      retryDelayMs,
      signal,
    });
  }

  requireSignatureStore(formats: readonly ImageSignature['format'][]): Promise<void> {
    return requireSignatureStore(this.#sources.at(-1)!.reference, formats, this.#options.env ?? process.env);
  }

  putSignatures(manifest: Digest, signatures: readonly ImageSignature[]): Promise<void> {
    const { env = process.env, signal } = this.#options;
    const { reference } = this.#sources.at(-1)!;
    return writeImageSignatures(this.#destination, reference, manifest, signatures, { env, signal });
  }

  push(expected: Descriptor, content: Bytes, o: Cancellable = {}): Promise<void> {
    return this.#destination.push(expected, content, o);
  }

  pushNamed(d: Descriptor, content: Bytes, name: string, o: Cancellable = {}): Promise<void> {
    return this.#destination.pushNamed(d, content, name === '' ? this.#name : name, o);
  }

  pushUnsized(content: Bytes, o: Cancellable = {}): ReturnType<Repository['pushUnsized']> {
    return this.#destination.pushUnsized(content, o);
  }

  tag(d: Descriptor, name: string, o: Cancellable = {}): Promise<void> {
    return this.#destination.tag(d, name === '' ? this.#name : name, o);
  }

  mountFrom(repository: string, d: Descriptor, o: Cancellable = {}): Promise<boolean> {
    return this.#destination.mountFrom(repository, d, o);
  }

  imageNames(o: Cancellable = {}): Promise<readonly string[]> {
    return this.#ask((repository) => repository.tags(o));
  }

  deleteManifest(digest: Digest, o: Cancellable = {}): Promise<void> {
    return this.#destination.deleteManifest(digest, o);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const repository of this.#open) await repository?.[Symbol.asyncDispose]();
  }
}
