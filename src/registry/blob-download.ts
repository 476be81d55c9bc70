/**
 * Fetching a blob as a stream that survives broken connections: what was received stays received, the rest is asked
 * for with a Range. More bytes than the descriptor says are never passed on.
 * @see OCI distribution-spec 1.1, "Pulling blobs"; RFC 9110 §14
 */
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Bytes } from '../spec/target.ts';
import type { HttpResponse } from './http-exchange.ts';
import { isRetryable, Patience, pause, pauseBefore } from './retry.ts';
import type { RegistrySession } from './session.ts';

/** A transfer that moved this much since it last broke counts as healthy: its failures start again at zero. */
const PROGRESS_BYTES = 1 << 20;

export interface BlobDownload {
  readonly session: RegistrySession;
  /** Path of the repository in the registry. */
  readonly repository: string;
  readonly scopes: readonly string[];
  readonly blob: Descriptor;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a blob; the first request is answered when this returns.
 * @throws `blob.not-found`; `blob.digest-mismatch` when the registry announces or sends another size
 */
export async function openBlob(download: BlobDownload): Promise<Bytes> {
  const first = await request(download, 0);
  return stream(download, first);
}

async function request(download: BlobDownload, from: number): Promise<HttpResponse> {
  const { session, repository, blob, scopes, signal } = download;
  const response = await session.request({
    purpose: `fetch blob ${blob.digest} from ${session.registry}/${repository}`,
    method: 'GET',
    target: `${repository}/blobs/${blob.digest}`,
    headers: from === 0 ? {} : { Range: `bytes=${from}-` },
    scopes,
    expect: from === 0 ? [200, 404] : [200, 206],
    signal,
  });
  if (response.status === 404) {
    response.discard();
    throw new BuilderError('blob.not-found', `blob ${blob.digest} is not in ${session.registry}/${repository}`, {
      facts: { digest: blob.digest, status: 404 },
    });
  }
  checkAnnouncement(download, response, from);
  return response;
}

/** A wrong size is refused by the header already, before any byte is taken. */
function checkAnnouncement(download: BlobDownload, response: HttpResponse, from: number): void {
  const { blob } = download;
  const start = response.status === 206 ? from : 0;
  const length = response.header('content-length');
  if (length !== undefined && /^\d+$/.test(length) && Number(length) !== blob.size - start) {
    response.discard();
    throw mismatch(download, `it announces ${length} bytes instead of ${blob.size - start}`);
  }
  const range = response.header('content-range');
  if (response.status === 206 && !new RegExp(`^bytes ${from}-${blob.size - 1}/(${blob.size}|\\*)$`).test(range ?? '')) {
    response.discard();
    throw new BuilderError(
      'registry.request-failed',
      `cannot go on with blob ${blob.digest} at byte ${from}: the registry sent the range ${JSON.stringify(range ?? 'none')}`,
    );
  }
}

function mismatch({ session, repository, blob }: BlobDownload, why: string): BuilderError {
  return new BuilderError(
    'blob.digest-mismatch',
    `blob ${blob.digest} from ${session.registry}/${repository} is refused: ${why}`,
    { facts: { digest: blob.digest, size: blob.size } },
  );
}

async function* stream(download: BlobDownload, first: HttpResponse): Bytes {
  const { session, blob, signal } = download;
  let response = first;
  let position = 0;
  let failures = 0;
  let brokenAt = 0;
  let renewedAt = 0;
  const patience = new Patience();
  for (;;) {
    let skip = response.status === 206 ? 0 : position;
    patience.begin();
    try {
      for await (const chunk of response.body) {
        const fresh = skip === 0 ? chunk : chunk.subarray(skip);
        skip -= chunk.length - fresh.length;
        if (fresh.length === 0) continue;
        // One byte too many is enough to know.
        if (position + fresh.length > blob.size) throw mismatch(download, `it is longer than ${blob.size} bytes`);
        position += fresh.length;
        if (position - renewedAt >= PROGRESS_BYTES) {
          renewedAt = position;
          patience.renew();
        }
        yield fresh;
      }
      if (position === blob.size) return;
      throw short(download, position);
    } catch (error) {
      signal?.throwIfAborted();
      if (!isRetryable(error)) throw error;
      failures = position - brokenAt >= PROGRESS_BYTES ? 1 : failures + 1;
      brokenAt = position;
      if (failures > session.retryPolicy.retries) throw error;
      const pauseMs = pauseBefore(failures, error, session.retryPolicy);
      if (patience.isOver(error, pauseMs)) throw error;
      await pause(pauseMs, signal);
    }
    response = await request(download, position);
  }
}

/** A body that just ends looks complete to HTTP when it has neither length nor chunks. */
function short(download: BlobDownload, position: number): BuilderError {
  const error = mismatch(download, `it ended after ${position} of ${download.blob.size} bytes`);
  return new BuilderError(error.code, error.message, { facts: { ...error.facts, retryable: true } });
}

export function isNotFound(error: unknown): boolean {
  return isBuilderError(error, 'blob.not-found') || (isBuilderError(error) && error.facts['status'] === 404);
}
