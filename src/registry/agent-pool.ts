/**
 * Connections: one keep-alive pool per way of reaching a server (direct or which proxy, http or https, whose
 * certificates). Trust given to one registry (`--tls-verify=false`, its CA, its client certificate) stays with that
 * host and port; the token server or blob host it sends us to is verified like any other.
 */
import { readFileSync } from 'node:fs';
import { type ClientRequest, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { HttpProxyAgent } from 'http-proxy-agent';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { type Environment, proxyFor } from './proxy.ts';
import type { TlsFiles } from './tls-files.ts';

export const CONNECT_TIMEOUT_MS = 10_000;
/** More parallel requests than this to one host wait their turn. */
const MAX_SOCKETS = 16;

/** Where distributions keep the CAs the machine trusts; the first that exists counts, as in Go's crypto/x509. */
const SYSTEM_CA_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

interface Trust {
  readonly secureContext: SecureContext;
  readonly rejectUnauthorized: boolean;
}

/** The machine's CAs and those the caller added for node programs, whose variable the launcher renames. */
function trustedCas(env: Environment): readonly (string | Buffer)[] {
  const extra = env['SLIPWAY_EXTRA_CA_CERTS'] ?? env['NODE_EXTRA_CA_CERTS'];
  if (extra === undefined || extra === '') return systemCas(env);
  try {
    return [...systemCas(env), readFileSync(extra)];
  } catch {
    // As node: a file that cannot be read adds nothing.
    return systemCas(env);
  }
}

function systemCas(env: Environment): readonly (string | Buffer)[] {
  for (const file of env['SSL_CERT_FILE'] ? [env['SSL_CERT_FILE']] : SYSTEM_CA_FILES) {
    try {
      return [readFileSync(file)];
    } catch {
      // The next distribution's place.
    }
  }
  return rootCertificates;
}

function timeoutError(): Error {
  return Object.assign(new Error(`no connection within ${CONNECT_TIMEOUT_MS / 1000} s`), { code: 'ETIMEDOUT' });
}

/** Destroys a socket that does not get ready in time; "ready" includes the TLS handshake. */
function limitConnecting<S extends Duplex>(socket: S, readyEvent: 'connect' | 'secureConnect'): S {
  const timer = setTimeout(() => socket.destroy(timeoutError()), CONNECT_TIMEOUT_MS);
  const stop = (): void => clearTimeout(timer);
  socket.once(readyEvent, stop).once('close', stop);
  return socket;
}

class DirectHttpAgent extends HttpAgent {
  override createConnection(...args: Parameters<HttpAgent['createConnection']>): Duplex {
    return limitConnecting(super.createConnection(...args)!, 'connect');
  }
}

class DirectHttpsAgent extends HttpsAgent {
  override createConnection(...args: Parameters<HttpsAgent['createConnection']>): Duplex {
    return limitConnecting(super.createConnection(...args)!, 'secureConnect');
  }
}

async function beforeTimeout<T>(connecting: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(timeoutError()), CONNECT_TIMEOUT_MS);
  });
  try {
    return await Promise.race([connecting, late]);
  } finally {
    clearTimeout(timer);
  }
}

class TunnelAgent extends HttpsProxyAgent<string> {
  readonly #trust: Trust;

  constructor(proxy: URL, trust: Trust) {
    super(proxy, { keepAlive: true, maxSockets: MAX_SOCKETS });
    this.#trust = trust;
  }

  override connect(
    request: ClientRequest,
    options: Parameters<HttpsProxyAgent<string>['connect']>[1],
  ): ReturnType<HttpsProxyAgent<string>['connect']> {
    // The base class drops its TLS options for the inner connection, which is the one that matters here.
    return beforeTimeout(super.connect(request, { ...options, ...this.#trust } as typeof options));
  }
}

class ForwardAgent extends HttpProxyAgent<string> {
  override connect(
    ...args: Parameters<HttpProxyAgent<string>['connect']>
  ): ReturnType<HttpProxyAgent<string>['connect']> {
    return beforeTimeout(super.connect(...args));
  }
}

export interface AgentPoolOptions {
  /** The registry that `verify` and `files` are about. */
  readonly registryHost: string;
  readonly verify: boolean;
  readonly files: () => TlsFiles;
  readonly env: Environment;
}

export class AgentPool {
  readonly #options: AgentPoolOptions;
  readonly #agents = new Map<string, HttpAgent>();
  readonly #trusts = new Map<boolean, Trust>();

  constructor(options: AgentPoolOptions) {
    this.#options = options;
  }

  /** The agent for a request to `url`. */
  agentFor(url: URL): HttpAgent {
    const secure = url.protocol === 'https:';
    const isRegistry = url.host === this.#options.registryHost;
    const proxy = proxyFor(url, this.#options.env);
    const key = `${secure ? (isRegistry ? 'registry' : 'https') : 'http'} ${proxy?.href ?? ''}`;
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      agent = this.#make(secure, isRegistry, proxy);
      this.#agents.set(key, agent);
    }
    return agent;
  }

  #make(secure: boolean, isRegistry: boolean, proxy: URL | undefined): HttpAgent {
    const pooled = { keepAlive: true, maxSockets: MAX_SOCKETS };
    if (!secure) return proxy === undefined ? new DirectHttpAgent(pooled) : new ForwardAgent(proxy, pooled);
    const trust = this.#trust(isRegistry);
    return proxy === undefined ? new DirectHttpsAgent({ ...pooled, ...trust }) : new TunnelAgent(proxy, trust);
  }

  #trust(isRegistry: boolean): Trust {
    let trust = this.#trusts.get(isRegistry);
    if (trust === undefined) {
      const files = isRegistry ? this.#options.files() : { ca: [], client: [] };
      const verify = !isRegistry || this.#options.verify;
      trust = {
        rejectUnauthorized: verify,
        secureContext: createSecureContext({
          // Unverified connections need no list, and reading one takes ten milliseconds.
          ...(verify ? { ca: [...trustedCas(this.#options.env), ...files.ca] as (string | Buffer)[] } : {}),
          ...(files.client.length === 0
            ? {}
            : { cert: files.client.map((c) => c.cert), key: files.client.map((c) => c.key) }),
        }),
      };
      this.#trusts.set(isRegistry, trust);
    }
    return trust;
  }

  /** Closes idle and busy connections. */
  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
}
