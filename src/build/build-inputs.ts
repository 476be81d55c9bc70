/** Collects what a build fetches while its steps run side by side; the order is brought in afterwards. */
import type { FetchedInput } from '../attest/build-facts.ts';
import type { LocalImage } from '../container/local-image.ts';
import { buildPlatform } from '../spec/platform.ts';

export class BuildInputs {
  readonly #found = new Map<string, FetchedInput>();

  add(input: FetchedInput): void {
    const told = publicInput(input);
    this.#found.set(JSON.stringify(told), told);
  }

  /** Each input once. */
  list(): readonly FetchedInput[] {
    return [...this.#found.values()];
  }
}

/** A base image or one that is copied from. @param reference the full name, or what was asked for where there is none */
export function imageInput({ record, config }: LocalImage, reference: string): FetchedInput {
  return { kind: 'image', reference, digest: record.manifest.digest, platform: buildPlatform(config) };
}

/** The input as it may be told. */
export function publicInput(input: FetchedInput): FetchedInput {
  return input.kind === 'image' ? input : { ...input, url: withoutCredentials(input.url) };
}

/** A URL as it may be told: without user name and password. The user name of ssh, which is no secret, stays. */
export function withoutCredentials(url: string): string {
  return url.replace(/^(https?:\/\/)[^@/?#]*@/, '$1').replace(/^([a-z][a-z+.-]*:\/\/)([^@:/?#]*):[^@/?#]*@/, '$1$2@');
}
