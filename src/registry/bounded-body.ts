/** Reading a whole body that must be small, whatever the other side says about its length. */
import type { Bytes } from '../spec/target.ts';

export interface BoundedBody {
  readonly content: Uint8Array;
  /** Whether there was more than the limit; `content` is then its beginning. */
  readonly isTruncated: boolean;
}

/** Reads at most `limit` bytes and then stops, which closes the connection. */
export async function readBounded(body: Bytes, limit: number): Promise<BoundedBody> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    if (length + chunk.length > limit) {
      chunks.push(Uint8Array.from(chunk.subarray(0, limit - length)));
      return { content: Buffer.concat(chunks), isTruncated: true };
    }
    // Copied: a chunk belongs to the consumer only until the next pull.
    chunks.push(Uint8Array.from(chunk));
    length += chunk.length;
  }
  return { content: Buffer.concat(chunks), isTruncated: false };
}
