/**
 * Trying again: which failures are worth it, and how long to wait. An error says itself that it may pass
 * (`facts.retryable`); everything else fails at once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isBuilderError } from '../report/builder-error.ts';

export interface RetryPolicy {
  /** Attempts after the first. */
  readonly retries: number;
  /** Fixed pause in milliseconds; undefined doubles from one second on. */
  readonly delayMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export const DEFAULT_RETRIES = 3;
const FIRST_DELAY_MS = 1000;
/** Also the most that a `Retry-After` header can ask for: a server must not be able to hang a build. */
const MAX_DELAY_MS = 60_000;

/** Statuses of a registry that is busy or restarting. 408 is a timeout on its side. */
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
/** Errors of a connection that once worked or will: not "refused" and not "no such host", which are answers. */
const PASSING_ERRNO: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

export function isPassingStatus(status: number): boolean {
  return PASSING_STATUS.has(status);
}

export function isPassingErrno(errno: string | undefined): boolean {
  return errno !== undefined && PASSING_ERRNO.has(errno);
}

export function isRetryable(error: unknown): boolean {
  return isBuilderError(error) && error.facts['retryable'] === true;
}

/** Milliseconds a `Retry-After` header asks for, at most a minute; undefined when it is absent or garbage. */
export function retryAfterMs(header: string | undefined, now: number = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  const seconds = /^\s*\d+\s*$/.test(header) ? Number(header) : (Date.parse(header) - now) / 1000;
  if (Number.isNaN(seconds)) return undefined;
  return Math.min(Math.max(seconds * 1000, 0), MAX_DELAY_MS);
}

/** Pause before attempt `attempt` (1 is the first retry); jitter keeps parallel transfers from returning together. */
export function pauseBefore(attempt: number, error: unknown, policy: RetryPolicy, random = Math.random): number {
  const asked = isBuilderError(error) ? error.facts['retryAfterMs'] : undefined;
  if (typeof asked === 'number') return asked;
  if (policy.delayMs !== undefined) return policy.delayMs;
  return Math.min(FIRST_DELAY_MS * 2 ** (attempt - 1), MAX_DELAY_MS) * (0.5 + random() / 2);
}

/** Runs `action` until it succeeds, fails for good, or the attempts are used up; the last error is thrown. */
export async function withRetry<T>(policy: RetryPolicy, action: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    policy.signal?.throwIfAborted();
    try {
      return await action(attempt);
    } catch (error) {
      if (attempt >= policy.retries || !isRetryable(error)) throw error;
      await pause(pauseBefore(attempt + 1, error, policy), policy.signal);
    }
  }
}

export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal });
}
