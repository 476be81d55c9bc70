/** A UUID that is a function of content, so that the same document has the same name wherever it is made. */
import { digestOf, hexOf } from '../spec/digest.ts';

/** Version 8, whose bits are the maker's own: here SHA-256. @see RFC 9562, 5.8 */
export function contentUuid(content: string): string {
  const hex = hexOf(digestOf(content));
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
