/**
 * Bearer tokens: where to ask for one, and the asking. A realm is a URL the registry chose, so it is checked before
 * anything is sent: never from https to http, never credentials over http to another host, never to a private address
 * that is not the registry itself.
 * @see the token authentication specification of docker/distribution; RFC 6749 for the refresh token form
 */
import { BuilderError } from '../report/builder-error.ts';
import { isJsonObject, parseStrictJson } from '../spec/strict-json.ts';
import type { AgentPool } from './agent-pool.ts';
import { readBounded } from './bounded-body.ts';
import type { Challenge } from './challenge.ts';
import type { Credentials } from './credential.ts';
import { exchange } from './http-client.ts';
import type { HttpTimeouts } from './http-exchange.ts';
import { followable, sameOrigin } from './private-address.ts';
import { errorOfResponse } from './registry-error.ts';

const MAX_TOKEN_BYTES = 1024 * 1024;
/** What the specification says a token lives when the answer does not say. */
const DEFAULT_LIFETIME_S = 60;
/** A token is not used in the last seconds of its life: the request must still arrive. */
const SAFETY_MS = 10_000;

export interface Token {
  readonly value: string;
  /** ms since the epoch */
  readonly expiresAt: number;
}

export interface TokenRequest {
  readonly challenge: Challenge;
  /** Base URL of the registry. */
  readonly registry: URL;
  /** `repository:name:pull`, … */
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  readonly agents: AgentPool;
  readonly timeouts: HttpTimeouts;
  readonly signal?: AbortSignal | undefined;
}

/** The realm as a URL that may be asked. @throws `registry.request-failed` before any request is sent */
export function checkRealm(challenge: Challenge, registry: URL, withCredentials: boolean): URL {
  const text = challenge.parameters.get('realm');
  const refuse = (why: string): BuilderError =>
    new BuilderError('registry.request-failed', `registry ${registry.host} asks for a token, but ${why}`);
  // Relative realms do not exist; resolving one would hide a malformed header.
  if (text === undefined || !URL.canParse(text)) throw refuse('its realm is not a URL');
  const realm = followable(text, registry, registry, 'token realm');
  if (withCredentials && realm.protocol === 'http:' && !sameOrigin(realm, registry)) {
    throw refuse(`its realm at ${realm.host} would get the credentials over plain http`);
  }
  return realm;
}

/** Fetches a token. @throws `registry.unauthorized`, `registry.request-failed` */
export async function fetchToken(request: TokenRequest): Promise<Token> {
  const { challenge, registry, scopes, credentials } = request;
  const realm = checkRealm(challenge, registry, credentials !== undefined);
  const form = new URLSearchParams();
  const service = challenge.parameters.get('service');
  if (service !== undefined) form.set('service', service);
  const refresh = credentials?.kind === 'identity-token';
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (refresh) {
    form.set('grant_type', 'refresh_token');
    form.set('client_id', 'slipway');
    form.set('refresh_token', credentials.token);
    form.set('scope', scopes.join(' '));
    headers['Content-Type'] = 'application/x-www-form-urlencoded';
  } else {
    for (const scope of scopes) form.append('scope', scope);
    if (credentials?.kind === 'basic') {
      form.set('account', credentials.username);
      headers['Authorization'] = basicAuthorization(credentials);
    }
    for (const [name, value] of form) realm.searchParams.append(name, value);
  }
  const method = refresh ? 'POST' : 'GET';
  const attempt = { purpose: `get a token for registry ${registry.host}`, method, url: realm };
  const response = await exchange({
    ...attempt,
    headers,
    ...(refresh ? { body: Buffer.from(form.toString()) } : {}),
    agent: request.agents.agentFor(realm),
    timeouts: request.timeouts,
    signal: request.signal,
  });
  // Redirects too: a realm that sends us elsewhere is not worth the question where.
  if (response.status !== 200) throw await errorOfResponse(attempt, response);
  return readToken(await readBounded(response.body, MAX_TOKEN_BYTES), realm);
}

function readToken(read: { readonly content: Uint8Array; readonly isTruncated: boolean }, realm: URL): Token {
  const what = `the token answer of ${realm.host}`;
  const refuse = (why: string, cause?: unknown): BuilderError =>
    new BuilderError('registry.request-failed', `${what} is refused: ${why}`, { cause });
  if (read.isTruncated) throw refuse(`it is larger than ${MAX_TOKEN_BYTES} bytes`);
  let body: unknown;
  try {
    body = parseStrictJson(read.content, what, { maxBytes: MAX_TOKEN_BYTES, maxDepth: 16 });
  } catch (cause) {
    throw refuse('it is not plain JSON', cause);
  }
  if (!isJsonObject(body as never)) throw refuse('it is not an object');
  const { token, access_token: accessToken, expires_in: lifetime } = body as Record<string, unknown>;
  const value = typeof token === 'string' && token !== '' ? token : accessToken;
  // Anything else would break out of the header it is put into.
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) throw refuse('it holds no token');
  const seconds = typeof lifetime === 'number' && lifetime > 0 ? lifetime : DEFAULT_LIFETIME_S;
  const usableMs = Math.max(seconds * 1000 - SAFETY_MS, (seconds * 1000) / 2);
  return { value, expiresAt: Date.now() + usableMs };
}

export function basicAuthorization(credentials: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}
