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
/** A minute that was asked for, or two standstills of half a minute, and what is lost between them. */
const PATIENCE_MS = 65_000;

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

/**
 * How long a server may keep us waiting in all, whatever the number of attempts: a registry that accepts connections
 * and says nothing, or that asks for a minute each time, ends after about one minute without progress.
 */
export class Patience {
  readonly #now: () => number;
  #startedAt: number;
  #attemptAt: number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#startedAt = now();
    this.#attemptAt = this.#startedAt;
  }

  /** Something arrived: the minute begins anew. */
  renew(): void {
    this.#startedAt = this.#now();
  }

  /** An attempt begins. */
  begin(): void {
    this.#attemptAt = this.#now();
  }

  /** Whether to give up rather than pause and attempt what took as long as the last attempt did. */
  isOver(error: unknown, pauseMs: number): boolean {
    if (!isBuilderError(error)) return false;
    const { standstill, retryAfterMs: asked } = error.facts;
    if (standstill !== true && typeof asked !== 'number') return false;
    const now = this.#now();
    return now - this.#startedAt + pauseMs + (now - this.#attemptAt) > PATIENCE_MS;
  }
}

/** Runs `action` until it succeeds, fails for good, or the attempts are used up; the last error is thrown. */
export async function withRetry<T>(policy: RetryPolicy, action: (attempt: number) => Promise<T>): Promise<T> {
  const patience = new Patience();
  for (let attempt = 0; ; attempt++) {
    policy.signal?.throwIfAborted();
    patience.begin();
    try {
      return await action(attempt);
    } catch (error) {
      if (attempt >= policy.retries || !isRetryable(error)) throw error;
      const pauseMs = pauseBefore(attempt + 1, error, policy);
      if (patience.isOver(error, pauseMs)) throw error;
      await pause(pauseMs, policy.signal);
    }
  }
}

export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal });
}
