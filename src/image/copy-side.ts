/** Which of the two places of a copy an error came from, said in its message and facts. */
import { verified } from '../archive/verify.ts';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Bytes, ReadTarget } from '../spec/target.ts';

export type CopySide = 'source' | 'destination';

/** Errors that have no code (cancelling, a full disk) pass as they are; a side once given stays. */
function withSide(error: unknown, side: CopySide, before = ''): unknown {
  if (!(error instanceof BuilderError) || error.facts['side'] !== undefined) return error;
  return new BuilderError(error.code, `${side}: ${before}${error.message}`, {
    cause: error,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.span === undefined ? {} : { span: error.span }),
    facts: { ...error.facts, side },
  });
}

/** ` of registry/repository` for a place that has a name, else nothing: what messages say behind a digest. */
export function ofPlace(place: object): string {
  return 'name' in place && typeof place.name === 'string' ? ` of ${place.name}` : '';
}

export async function fromSource<T>(action: () => Promise<T> | T): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw withSide(error, 'source');
  }
}

/** @param content what is handed over, for messages about it: `blob sha256:… of registry/repository` */
export async function atDestination<T>(action: () => Promise<T> | T, content?: string): Promise<T> {
  try {
    return await action();
  } catch (error) {
    // A place that checks what it is given reports wrong content, but did not make it.
    if (!isBuilderError(error, 'blob.digest-mismatch')) throw withSide(error, 'destination');
    throw withSide(error, 'source', content === undefined ? '' : `${content} is refused: `);
  }
}

/** Content whose failures are the source's. */
export async function* sourceBytes(content: Bytes): Bytes {
  try {
    yield* content;
  } catch (error) {
    throw withSide(error, 'source');
  }
}

/** A small document whole, verified. */
export async function readDocument(
  from: ReadTarget,
  d: Descriptor,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  return fromSource(async () => {
    if (d.size > limit) {
      throw new BuilderError(
        'manifest.invalid',
        `${d.digest} is refused: ${d.size} bytes are more than the limit of ${limit}`,
      );
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of verified(await from.open(d, { signal }), d, d.digest))
      chunks.push(Uint8Array.from(chunk));
    return Buffer.concat(chunks);
  });
}
