/** Statements of the in-toto framework: a predicate about things named by their digests. @see in-toto attestation, Statement v1 */
import type { Digest } from '../spec/digest.ts';
import { hexOf } from '../spec/digest.ts';
import type { Platform } from '../spec/platform.ts';
import { imagePurl } from './purl.ts';

/** What is said, and the URI of its kind. */
export interface Predicate {
  readonly type: string;
  /** Anything JSON can hold. */
  readonly content: object;
}

/** The predicate types of bills of materials. */
export const SBOM_TYPES = { spdx: 'https://spdx.dev/Document', cyclonedx: 'https://cyclonedx.org/bom' } as const;

export interface Subject {
  readonly name: string;
  readonly digest: Readonly<Record<string, string>>;
}

export interface Statement {
  readonly _type: 'https://in-toto.io/Statement/v1';
  readonly predicateType: string;
  readonly subject: readonly Subject[];
  readonly predicate: object;
}

/** Members in the order in which BuildKit writes them. */
export function statement(predicate: Predicate, subject: readonly Subject[]): Statement {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: predicate.type,
    subject,
    predicate: predicate.content,
  };
}

/**
 * An image as subject: once under each of its names, or under `_`, which is nobody's name, when it has none.
 * @param names references; @throws `reference.invalid`
 */
export function imageSubjects(manifest: Digest, names: readonly string[], platform: Platform | undefined): Subject[] {
  const digest = { sha256: hexOf(manifest) };
  if (names.length === 0) return [{ name: '_', digest }];
  return names.map((name) => ({ name: imagePurl(name, platform), digest }));
}

/** A file of an exported tree as subject; `path` is relative to the tree. */
export function fileSubject(path: string, digest: Digest): Subject {
  return { name: path, digest: { sha256: hexOf(digest) } };
}
