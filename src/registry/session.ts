/**
 * A conversation with one registry: finds out how it is reached (https, or http where that was allowed) and how it
 * wants to be logged in to, keeps tokens per scope, follows redirects without ever carrying a credential to another
 * host, and tries passing failures again.
 * @see OCI distribution-spec 1.1; RFC 9110 §15.4
 */
import { BuilderError } from '../report/builder-error.ts';
import type { Emit } from '../report/event.ts';
import type { Bytes } from '../spec/target.ts';
import type { AgentPool } from './agent-pool.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Credentials } from './credential.ts';
import { findCredentials } from './credentials.ts';
import { DEFAULT_TIMEOUTS, exchange } from './http-client.ts';
import type { HttpResponse, HttpTimeouts } from './http-exchange.ts';
import { followable, sameOrigin } from './private-address.ts';
import type { Environment } from './proxy.ts';
import { errorOfResponse, redactUrl } from './registry-error.ts';
import { DEFAULT_RETRIES, type RetryPolicy, withRetry } from './retry.ts';
import { loadTlsFiles } from './tls-files.ts';
import { basicAuthorization, fetchToken, type Token } from './token.ts';
import { tellWarnings } from './warnings.ts';

const MAX_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export interface SessionOptions {
  /** Default true; false also allows plain http. Both only for this registry's host and port. */
  readonly tlsVerify?: boolean | undefined;
  readonly certDir?: string | undefined;
  readonly authfile?: string | undefined;
  readonly creds?: { readonly username: string; readonly password: string } | undefined;
  /** Of registries.conf: helper programs, `containers-auth.json` standing for the files. */
  readonly credentialHelpers?: readonly string[] | undefined;
  /** Attempts after the first, default 3. */
  readonly retries?: number | undefined;
  /** Fixed pause between attempts; default doubles from one second. */
  readonly retryDelayMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default `process.env`: proxies, homes, credential files. */
  readonly env?: Environment | undefined;
  readonly timeouts?: HttpTimeouts | undefined;
  /** Hears the registry's warnings. */
  readonly emit?: Emit | undefined;
}

export interface SessionRequest {
  /** For messages: `fetch blob sha256:…`. */
  readonly purpose: string;
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** Path below `/v2/`, or an address this registry gave and `followable` let through. */
  readonly target: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | { readonly content: Bytes; readonly size: number };
  readonly scopes: readonly string[];
  /** Statuses the caller deals with; any other is an error. */
  readonly expect: readonly number[];
  /** Whether to try passing failures again here; a streamed body never is. */
  readonly isRetried?: boolean;
  readonly signal?: AbortSignal | undefined;
}

interface Connection {
  readonly base: URL;
  readonly challenges: readonly Challenge[];
}

/** Docker Hub's registry lives at another host than its name says. */
const HOST_OF: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };

export class RegistrySession {
  readonly registry: string;
  readonly #host: string;
  readonly #options: SessionOptions;
  readonly #env: Environment;
  #agents: Promise<AgentPool> | undefined;
  readonly #tokens = new Map<string, Promise<Token>>();
  /** Purposes of streamed requests that got another token. */
  readonly #renewed = new Set<string>();
  /** Name under which credentials are looked up: the registry with the repository. */
  readonly #account: string;
  #connection: Promise<Connection> | undefined;
  #credentials: Promise<Credentials | undefined> | undefined;

  constructor(registry: string, repository: string, options: SessionOptions) {
    this.registry = registry;
    this.#host = HOST_OF[registry] ?? registry;
    this.#account = `${registry}/${repository}`;
    this.#options = options;
    this.#env = options.env ?? process.env;
  }

  get retryPolicy(): RetryPolicy {
    return {
      retries: this.#options.retries ?? DEFAULT_RETRIES,
      delayMs: this.#options.retryDelayMs,
      signal: this.#options.signal,
    };
  }

  /**
   * Sends a request, logged in as far as the registry asks for it.
   * @throws `registry.unauthorized`, `registry.request-failed`, `registry.not-a-registry`, `auth.file-invalid`
   */
  request(request: SessionRequest): Promise<HttpResponse> {
    return this.receive(request, (response) => response);
  }

  /** As `request`, and reads the answer: one that breaks off on its way is asked for again. */
  receive<T>(request: SessionRequest, read: (response: HttpResponse) => T | Promise<T>): Promise<T> {
    const signal = request.signal ?? this.#options.signal;
    const isReplayable = request.body === undefined || request.body instanceof Uint8Array;
    const policy = isReplayable && request.isRetried !== false ? this.retryPolicy : { retries: 0 };
    return withRetry({ ...policy, signal }, async () => read(await this.#attempt({ ...request, signal })));
  }

  /** The registry's base URL once it is known how to reach it. */
  async base(): Promise<URL> {
    return (await this.#connect()).base;
  }

  /** Asks the registry whether it is one and whether these credentials are good. */
  async ping(): Promise<void> {
    await this.request({ purpose: `log in to ${this.registry}`, method: 'GET', target: '', scopes: [], expect: [200] });
  }

  close(): void {
    this.#agents?.then(
      (agents) => agents.close(),
      () => {},
    );
  }

  /** Loaded with the first request: most commands name registries without ever asking one. */
  #agentPool(): Promise<AgentPool> {
    this.#agents ??= import('./agent-pool.ts').then(
      ({ AgentPool }) =>
        new AgentPool({
          registryHost: new URL(`https://${this.#host}`).host,
          verify: this.#options.tlsVerify !== false,
          files: () => loadTlsFiles(this.registry, this.#options.certDir, this.#env),
          env: this.#env,
        }),
    );
    return this.#agents;
  }

  async #attempt(request: SessionRequest): Promise<HttpResponse> {
    const { base, challenges } = await this.#connect();
    const url = typeof request.target === 'string' ? new URL(`/v2/${request.target}`, base) : request.target;
    const authorization = sameOrigin(url, base) ? await this.#authorize(challenges, request.scopes, base) : undefined;
    let response = await this.#send(request, url, authorization);
    if (response.status === 401 && sameOrigin(url, base)) {
      response = await this.#loginAgain(request, url, authorization, response, base);
    }
    if (REDIRECTS.has(response.status) && !request.expect.includes(response.status)) {
      response = await this.#followRedirects(request, response, base);
    }
    if (request.expect.includes(response.status)) return response;
    throw await errorOfResponse({ ...request, url: response.url }, response);
  }

  async #send(request: SessionRequest, url: URL, authorization: string | undefined): Promise<HttpResponse> {
    const response = await exchange({
      purpose: request.purpose,
      method: request.method,
      url,
      headers: { ...request.headers, ...(authorization === undefined ? {} : { Authorization: authorization }) },
      ...(request.body === undefined ? {} : { body: request.body }),
      agent: (await this.#agentPool()).agentFor(url),
      timeouts: this.#options.timeouts ?? DEFAULT_TIMEOUTS,
      signal: request.signal,
    });
    // Only the registry itself warns; where it keeps its blobs, others may speak.
    if (url.host === new URL(`https://${this.#host}`).host) {
      tellWarnings(this.registry, response.header('warning'), this.#options.emit);
    }
    return response;
  }

  /**
   * One fresh token after a 401: the old one may have run out in the middle of a transfer. A body that is gone by then
   * cannot be sent again from here: with the next token whoever has the content may come again.
   */
  async #loginAgain(
    request: SessionRequest,
    url: URL,
    used: string | undefined,
    refused: HttpResponse,
    base: URL,
  ): Promise<HttpResponse> {
    const challenges = parseChallenges(refused.header('www-authenticate') ?? '');
    const isReplayable = request.body === undefined || request.body instanceof Uint8Array;
    if (challenges.length === 0) return refused;
    if (!isReplayable) {
      // Once for each: a registry that refuses what is new to it as well means it.
      if (used?.startsWith('Bearer ') !== true || this.#renewed.has(request.purpose)) return refused;
      this.#renewed.add(request.purpose);
      this.#tokens.delete(tokenKey(request.scopes));
      throw retryable(await errorOfResponse({ ...request, url }, refused));
    }
    this.#tokens.delete(tokenKey(request.scopes));
    // Some registries greet everybody and ask only later; what they ask for then holds for all that follows.
    this.#connection = Promise.resolve({ base, challenges });
    const authorization = await this.#authorize(challenges, request.scopes, base);
    if (authorization === undefined || (authorization === used && authorization.startsWith('Basic '))) return refused;
    refused.discard();
    return this.#send(request, url, authorization);
  }

  async #followRedirects(request: SessionRequest, first: HttpResponse, base: URL): Promise<HttpResponse> {
    let response = first;
    for (let count = 0; REDIRECTS.has(response.status); count++) {
      // Only reads are followed: an upload that is sent elsewhere says so in its Location before any byte.
      if (request.method !== 'GET' && request.method !== 'HEAD') return response;
      if (count === MAX_REDIRECTS) {
        throw new BuilderError(
          'registry.request-failed',
          `cannot ${request.purpose}: more than ${MAX_REDIRECTS} redirects`,
        );
      }
      const location = response.header('location');
      if (location === undefined) return response;
      response.discard();
      const url = followable(location, response.url, base, 'redirect');
      const authorization = sameOrigin(url, base)
        ? await this.#authorize((await this.#connect()).challenges, request.scopes, base)
        : undefined;
      response = await this.#send(request, url, authorization);
    }
    return response;
  }

  async #authorize(
    challenges: readonly Challenge[],
    scopes: readonly string[],
    base: URL,
  ): Promise<string | undefined> {
    const bearer = challenges.find((c) => c.scheme === 'bearer');
    if (bearer !== undefined) return `Bearer ${(await this.#token(bearer, scopes, base)).value}`;
    if (!challenges.some((c) => c.scheme === 'basic')) return undefined;
    const credentials = await this.#findCredentials();
    return credentials?.kind === 'basic' ? basicAuthorization(credentials) : undefined;
  }

  async #token(challenge: Challenge, scopes: readonly string[], base: URL): Promise<Token> {
    const key = tokenKey(scopes);
    const cached = await this.#tokens.get(key);
    if (cached !== undefined && cached.expiresAt > Date.now()) return cached;
    const fetching = this.#findCredentials().then(async (credentials) =>
      fetchToken({
        challenge,
        registry: base,
        scopes,
        credentials,
        agents: await this.#agentPool(),
        timeouts: this.#options.timeouts ?? DEFAULT_TIMEOUTS,
        signal: this.#options.signal,
      }),
    );
    this.#tokens.set(key, fetching);
    // A failure is not remembered: the next request asks again.
    fetching.catch(() => this.#tokens.delete(key));
    return fetching;
  }

  #findCredentials(): Promise<Credentials | undefined> {
    this.#credentials ??= this.#lookUpCredentials();
    return this.#credentials;
  }

  async #lookUpCredentials(): Promise<Credentials | undefined> {
    const { creds, authfile, credentialHelpers } = this.#options;
    if (creds !== undefined) return { kind: 'basic', ...creds };
    return (await findCredentials(this.#account, { authfile, helpers: credentialHelpers, env: this.#env }))
      ?.credentials;
  }

  #connect(): Promise<Connection> {
    if (this.#connection === undefined) {
      this.#connection = this.#firstContact();
      this.#connection.catch(() => {
        this.#connection = undefined;
      });
    }
    return this.#connection;
  }

  async #firstContact(): Promise<Connection> {
    const https = new URL(`https://${this.#host}/`);
    if (this.#options.tlsVerify !== false) return this.#greet(https);
    try {
      return await this.#greet(https);
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      // An answer over TLS, whatever it says, is an answer; only the lack of one means plain http.
      if (!(error instanceof BuilderError) || error.facts['status'] !== undefined) throw error;
      if (error.code === 'registry.not-a-registry') throw error;
      return this.#greet(new URL(`http://${this.#host}/`));
    }
  }

  async #greet(base: URL): Promise<Connection> {
    const url = new URL('/v2/', base);
    const purpose = `reach registry ${this.registry}`;
    const response = await this.#send(
      { purpose, method: 'GET', target: url, scopes: [], expect: [200, 401], signal: this.#options.signal },
      url,
      undefined,
    );
    const isHtml = response.header('content-type')?.toLowerCase().startsWith('text/html') === true;
    if (response.status === 401 || (response.status === 200 && !isHtml)) {
      response.discard();
      return { base, challenges: parseChallenges(response.header('www-authenticate') ?? '') };
    }
    if (isHtml || response.status === 404 || REDIRECTS.has(response.status))
      throw notARegistry(this.registry, response);
    throw await errorOfResponse({ purpose, method: 'GET', url }, response);
  }
}

function retryable(error: BuilderError): BuilderError {
  return new BuilderError(error.code, error.message, {
    cause: error,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    facts: { ...error.facts, retryable: true },
  });
}

function notARegistry(registry: string, response: HttpResponse): BuilderError {
  response.discard();
  const location = response.header('location');
  const type = response.header('content-type');
  const detail =
    location !== undefined && URL.canParse(location, response.url.href)
      ? `a redirect to ${redactUrl(new URL(location, response.url))}`
      : type === undefined
        ? `status ${response.status}`
        : `status ${response.status} and ${type.slice(0, 80)}`;
  return new BuilderError(
    'registry.not-a-registry',
    `${registry} is not a registry: GET ${redactUrl(response.url)} answered ${detail}`,
    { hint: 'check the host name; a proxy or the login page of a network may be answering in its place' },
  );
}

function tokenKey(scopes: readonly string[]): string {
  return [...scopes].sort().join(' ');
}
