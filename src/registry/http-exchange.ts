/** A request and its answer, as values. */
import type { Agent } from 'node:http';
import type { Bytes } from '../spec/target.ts';

/** What the caller was doing: `fetch blob sha256:…`. */
export interface Attempt {
  readonly purpose: string;
  readonly method: string;
  readonly url: URL;
}

export interface HttpTimeouts {
  readonly headersMs: number;
  readonly idleMs: number;
}

export interface HttpRequest extends Attempt {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | { readonly content: Bytes; readonly size: number };
  readonly agent: Agent;
  readonly timeouts: HttpTimeouts;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly url: URL;
  header(name: string): string | undefined;
  /** Raw bytes, never decoded; reading it twice is an error. Leaving the loop early closes the connection. */
  readonly body: Bytes;
  /** Gives the connection back without reading the body. */
  discard(): void;
}
