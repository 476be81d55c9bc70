/** Digests as npm's lock files state them: `sha512-BASE64`, several parted by spaces. @see W3C, Subresource Integrity */
import type { StatedDigest } from './software.ts';

const ALGORITHMS = {
  sha1: ['SHA-1', 20],
  sha256: ['SHA-256', 32],
  sha384: ['SHA-384', 48],
  sha512: ['SHA-512', 64],
} as const;

export function parseIntegrity(text: string): StatedDigest[] {
  return text.split(/\s+/).flatMap((word) => {
    const match = /^(sha1|sha256|sha384|sha512)-([A-Za-z0-9+/]+={0,2})/.exec(word);
    if (match === null) return [];
    const [algorithm, length] = ALGORITHMS[match[1] as keyof typeof ALGORITHMS];
    const bytes = Buffer.from(match[2]!, 'base64');
    return bytes.length === length ? [{ algorithm, hex: bytes.toString('hex') }] : [];
  });
}

/** The member `digests`, absent when there are none. */
export function digestsOf(integrity: unknown): { digests?: readonly StatedDigest[] } {
  const digests = typeof integrity === 'string' ? parseIntegrity(integrity) : [];
  return digests.length === 0 ? {} : { digests };
}
