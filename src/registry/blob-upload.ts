/**
 * Sending blobs. Small ones are held in memory, so that a failure is simply tried again; large ones of known digest go
 * in one streamed request; content whose digest is only known at its end goes in chunks, each of which can be repeated.
 * @see OCI distribution-spec 1.1, "Pushing blobs"
 */
import { createHash } from 'node:crypto';
import { verified } from '../archive/verify.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type Digest, digestFromHex } from '../spec/digest.ts';
import type { Bytes } from '../spec/target.ts';
import { readBounded } from './bounded-body.ts';
import type { HttpResponse } from './http-exchange.ts';
import { followable } from './private-address.ts';
import { isRetryable, Patience, pause, pauseBefore, withRetry } from './retry.ts';
import type { RegistrySession } from './session.ts';

/** Blobs up to this size are sent from memory. */
const IN_MEMORY_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 8 * 1024 * 1024;
/** The most a registry may ask for as its smallest chunk; each transfer holds one chunk. */
const MAX_CHUNK_BYTES = 64 * 1024 * 1024;

export interface BlobUpload {
  readonly session: RegistrySession;
  readonly repository: string;
  readonly scopes: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** An upload the registry has begun. */
export interface UploadPlace {
  readonly url: URL;
  readonly minChunkBytes: number;
}

/**
 * Sends a blob of known digest, verified on its way.
 * @param begun an upload already begun, as a refused mount leaves one
 * @throws `blob.digest-mismatch` when the content is another; `registry.request-failed` with `facts.retryable`, when a
 *   streamed blob broke off and the caller may come again with the content from its start
 */
export async function uploadBlob(
  upload: BlobUpload,
  blob: Descriptor,
  content: Bytes,
  begun?: UploadPlace,
): Promise<void> {
  const checked = verified(content, blob, `blob ${blob.digest}`);
  let place = begun;
  const send = async (body: Uint8Array | { readonly content: Bytes; readonly size: number }): Promise<void> => {
    const at = place ?? (await beginUpload(upload));
    place = undefined;
    await finishUpload(upload, at, blob.digest, body);
  };
  if (blob.size > IN_MEMORY_BYTES) return send({ content: checked, size: blob.size });
  const { content: bytes } = await readBounded(checked, IN_MEMORY_BYTES);
  return withRetry({ ...upload.session.retryPolicy, signal: upload.signal }, () => send(bytes));
}

/** Starts an upload. */
export async function beginUpload(upload: BlobUpload): Promise<UploadPlace> {
  const response = await upload.session.request({
    purpose: `begin an upload to ${upload.session.registry}/${upload.repository}`,
    method: 'POST',
    target: `${upload.repository}/blobs/uploads/`,
    scopes: upload.scopes,
    expect: [202],
    signal: upload.signal,
  });
  return placeOf(upload, response);
}

/** Where the registry wants the next request of this upload. @throws `registry.request-failed` for a place not asked */
export async function placeOf(upload: BlobUpload, response: HttpResponse): Promise<UploadPlace> {
  response.discard();
  const base = await upload.session.base();
  const location = response.header('location');
  if (location === undefined) {
    throw new BuilderError('registry.request-failed', `registry ${base.host} began an upload without saying where`);
  }
  const minimum = Number(response.header('oci-chunk-min-length') ?? 0);
  return {
    url: followable(location, response.url, base, 'upload location'),
    minChunkBytes: Number.isSafeInteger(minimum) && minimum > 0 ? minimum : 0,
  };
}

async function finishUpload(
  upload: BlobUpload,
  place: UploadPlace,
  digest: Digest,
  body: Uint8Array | { readonly content: Bytes; readonly size: number },
): Promise<void> {
  const { session, repository, scopes, signal } = upload;
  // Appended as text: parsing and printing the query again could break a signature in it.
  const mark = place.url.search === '' ? '?' : '&';
  const response = await session.request({
    purpose: `store blob ${digest} in ${session.registry}/${repository}`,
    method: 'PUT',
    target: new URL(`${place.url.href}${mark}digest=${encodeURIComponent(digest)}`),
    headers: { 'Content-Type': 'application/octet-stream' },
    body,
    scopes,
    expect: [201, 204],
    isRetried: false,
    signal,
  });
  response.discard();
}

/** Sends content whose digest is not known yet, and gives what it was. */
export async function uploadUnsized(upload: BlobUpload, content: Bytes): Promise<{ digest: Digest; size: number }> {
  let place = await beginUpload(upload);
  const chunkBytes = Math.max(CHUNK_BYTES, place.minChunkBytes);
  if (chunkBytes > MAX_CHUNK_BYTES) {
    throw new BuilderError(
      'registry.request-failed',
      `registry ${upload.session.registry} asks for chunks of at least ${chunkBytes} bytes; ${MAX_CHUNK_BYTES} is the most that is held in memory`,
    );
  }
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of inChunks(content, chunkBytes)) {
    hash.update(chunk);
    place = await sendChunk(upload, place, chunk, size);
    size += chunk.length;
  }
  const digest = digestFromHex(hash.digest('hex'));
  await finishUpload(upload, place, digest, new Uint8Array());
  return { digest, size };
}

async function* inChunks(content: Bytes, size: number): Bytes {
  let buffer = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const piece of content) {
    for (let at = 0; at < piece.length; ) {
      const taken = Math.min(piece.length - at, size - filled);
      buffer.set(piece.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      if (filled < size) continue;
      yield buffer;
      buffer = Buffer.allocUnsafe(size);
      filled = 0;
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}

/** Sends one chunk; when the answer got lost, asks how much arrived and goes on from there. */
async function sendChunk(
  upload: BlobUpload,
  place: UploadPlace,
  chunk: Uint8Array,
  offset: number,
): Promise<UploadPlace> {
  const { session, repository, scopes } = upload;
  const policy = session.retryPolicy;
  let at = place;
  let sent = 0;
  const patience = new Patience();
  for (let failures = 0; ; ) {
    patience.begin();
    try {
      const response = await session.request({
        purpose: `upload to ${session.registry}/${repository}`,
        method: 'PATCH',
        target: at.url,
        headers: {
          'Content-Type': 'application/octet-stream',
          'Content-Range': `${offset + sent}-${offset + chunk.length - 1}`,
        },
        body: chunk.subarray(sent),
        scopes,
        expect: [202],
        isRetried: false,
        signal: upload.signal,
      });
      return await placeOf(upload, response);
    } catch (error) {
      failures += 1;
      if (!isRetryable(error) || failures > policy.retries) throw error;
      const pauseMs = pauseBefore(failures, error, policy);
      if (patience.isOver(error, pauseMs)) throw error;
      await pause(pauseMs, upload.signal);
      const status = await uploadStatus(upload, at);
      at = status.place;
      sent = status.received - offset;
      if (sent < 0 || sent > chunk.length) throw error;
      if (sent === chunk.length) return at;
    }
  }
}

async function uploadStatus(
  upload: BlobUpload,
  place: UploadPlace,
): Promise<{ readonly place: UploadPlace; readonly received: number }> {
  const response = await upload.session.request({
    purpose: `ask for the state of an upload to ${upload.session.registry}/${upload.repository}`,
    method: 'GET',
    target: place.url,
    scopes: upload.scopes,
    expect: [204],
    signal: upload.signal,
  });
  // `0-0` stands for nothing as well as for one byte; chunks are never that small.
  const end = Number(/^(?:bytes=)?0-(\d+)$/.exec(response.header('range') ?? '')?.[1] ?? 0);
  return { place: await placeOf(upload, response), received: end === 0 ? 0 : end + 1 };
}
