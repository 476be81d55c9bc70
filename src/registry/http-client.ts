/**
 * One HTTP exchange: no redirect is followed, nothing is decoded, nothing is tried again here. Every wait has an end:
 * 10 s to connect (in the agents), 30 s for the answer to begin, 30 s of standstill or crawl while a body moves.
 */
import { setMaxListeners } from 'node:events';
import { Readable } from 'node:stream';
import type { Bytes } from '../spec/target.ts';
import { VERSION } from '../spec/version.ts';
import type { HttpRequest, HttpResponse, HttpTimeouts } from './http-exchange.ts';
import { errorOfConnection } from './registry-error.ts';
import { isPassingErrno } from './retry.ts';

export const HEADERS_TIMEOUT_MS = 30_000;
export const IDLE_TIMEOUT_MS = 30_000;
/** Bodies up to this size are read and thrown away rather than cut off. */
const MAX_DISCARDED_BYTES = 16 * 1024;
/** Fewer bytes than this in one idle period count as standstill: one byte a second must not hold a build for days. */
const MIN_BYTES_PER_PERIOD = 4096;

export const DEFAULT_TIMEOUTS: HttpTimeouts = { headersMs: HEADERS_TIMEOUT_MS, idleMs: IDLE_TIMEOUT_MS };

/** Raised into a stream or request that stands still. */
function standstill(what: string, ms: number): Error {
  return Object.assign(new Error(`${what} for ${Math.round(ms / 1000)} s`), { code: 'ETIMEDOUT' });
}

/**
 * Sends a request and waits for the answer's header.
 * @throws `registry.request-failed` when no answer comes, with `facts.retryable`; the abort reason when cancelled
 */
export async function exchange(request: HttpRequest): Promise<HttpResponse> {
  const { method, url, signal, timeouts } = request;
  // Loaded with the first request, for the sake of all commands that make none.
  const { default: fetch } = await import('node-fetch');
  signal?.throwIfAborted();
  const controller = new AbortController();
  let failure: Error | undefined;
  const onAbort = (): void => controller.abort();
  // One signal cancels a whole transfer, so many requests listen to it at once.
  if (signal !== undefined) setMaxListeners(0, signal);
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => {
    failure = standstill('no answer', timeouts.headersMs);
    controller.abort();
  }, timeouts.headersMs);
  const detach = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  };
  const upload = bodyOf(
    request,
    (error) => {
      failure = error;
    },
    timer,
  );
  try {
    const response = await fetch(url.href, {
      method,
      headers: {
        'User-Agent': `slipway/${VERSION}`,
        'Accept-Encoding': 'identity',
        ...upload.headers,
        ...request.headers,
      },
      ...(upload.body === undefined ? {} : { body: upload.body }),
      redirect: 'manual',
      compress: false,
      agent: request.agent,
      signal: controller.signal,
    });
    clearTimeout(timer);
    const stream = response.body as Readable;
    // A stream nobody reads yet must not bring the process down when its connection breaks.
    stream.on('error', () => {});
    return {
      status: response.status,
      url,
      header: (name) => response.headers.get(name) ?? undefined,
      body: timedBody(request, stream, detach),
      discard: () => {
        detach();
        // A short body is let run out, so that its connection (and TLS session) is used again.
        const length = Number(response.headers.get('content-length') ?? Number.NaN);
        if (method === 'HEAD' || length <= MAX_DISCARDED_BYTES) stream.resume();
        else stream.destroy();
      },
    };
  } catch (error) {
    detach();
    signal?.throwIfAborted();
    const cause = failure ?? rootCause(error);
    // What the source of an upload threw is not the registry's failure.
    if (failure !== undefined && (failure as NodeJS.ErrnoException).code !== 'ETIMEDOUT') throw failure;
    throw errorOfConnection(request, cause, isPassing(cause));
  }
}

function isPassing(error: unknown): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  // Node gives a server that closes before answering this message, with and without the code.
  return isPassingErrno(code) || /socket hang up|premature close/i.test(message ?? '');
}

/** node-fetch wraps; what the kernel or OpenSSL said is one level down, several addresses tried are in a list. */
function rootCause(error: unknown): unknown {
  const { erroredSysCall, errno, code, message } = error as {
    erroredSysCall?: string;
    errno?: string;
    code?: string;
    message: string;
  };
  const known = code ?? errno;
  if (known === undefined) return error;
  const reason = message.replace(/^request to .* failed, reason: ?/s, '');
  return Object.assign(
    new Error(reason === '' ? `${erroredSysCall ?? 'connect'} ${known}` : reason, { cause: error }),
    {
      code: known,
    },
  );
}

interface Upload {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable | Buffer | undefined;
}

function bodyOf(request: HttpRequest, onError: (error: Error) => void, timer: NodeJS.Timeout): Upload {
  const { body, method } = request;
  if (body === undefined) {
    return { headers: method === 'GET' || method === 'HEAD' ? {} : { 'Content-Length': '0' }, body: undefined };
  }
  if (body instanceof Uint8Array) {
    return { headers: {}, body: Buffer.from(body.buffer, body.byteOffset, body.byteLength) };
  }
  async function* watched(content: Bytes): Bytes {
    try {
      for await (const chunk of content) {
        // While bytes move, the answer is not late.
        timer.refresh();
        yield chunk;
        timer.refresh();
      }
    } catch (error) {
      onError(error as Error);
      throw error;
    }
  }
  return {
    headers: { 'Content-Length': String(body.size) },
    body: Readable.from(watched(body.content), { objectMode: false, highWaterMark: 1 << 20 }),
  };
}

/** The body with its clock: time spent waiting for the server counts, time the consumer takes does not. */
async function* timedBody(request: HttpRequest, stream: Readable, detach: () => void): Bytes {
  const { idleMs } = request.timeouts;
  let received = 0;
  let isWaiting = true;
  let consumerMs = 0;
  const timer = setInterval(() => {
    const crawls = isWaiting && received < MIN_BYTES_PER_PERIOD && consumerMs < idleMs / 4;
    if (crawls) stream.destroy(standstill('the answer stood still', idleMs));
    received = 0;
    consumerMs = 0;
  }, idleMs);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      received += chunk.length;
      isWaiting = false;
      const before = performance.now();
      yield chunk;
      consumerMs += performance.now() - before;
      isWaiting = true;
    }
  } catch (error) {
    request.signal?.throwIfAborted();
    throw errorOfConnection(request, rootCause(error), true);
  } finally {
    clearInterval(timer);
    detach();
    stream.destroy();
  }
}
