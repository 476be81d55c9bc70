/** Errors of registries: method, redacted URL, status, the registry's own codes, and whether trying again makes sense. */
import { BuilderError } from '../report/builder-error.ts';
import { readBounded } from './bounded-body.ts';
import type { Attempt, HttpResponse } from './http-exchange.ts';
import { isPassingStatus, retryAfterMs } from './retry.ts';

/** Bytes of an error body that are read; the rest says nothing more. */
const MAX_ERROR_BODY = 64 * 1024;
const MAX_SHOWN = 300;

export interface SpecError {
  readonly code: string;
  readonly message: string;
}

/** The URL without user, password and query: signatures and tokens live there. */
export function redactUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : '?…'}`;
}

/** Control characters would reach the terminal; a registry's words are quoted without them. */
export function printable(text: string): string {
  const flat = text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g, ' ').trim();
  return flat.length > MAX_SHOWN ? `${flat.slice(0, MAX_SHOWN)}…` : flat;
}

/** `{"errors":[{code,message,detail}]}` @see OCI distribution-spec 1.1, "Error Codes" */
export function parseSpecErrors(text: string): readonly SpecError[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return [];
  }
  const errors = (body as { errors?: unknown } | null)?.errors;
  if (!Array.isArray(errors)) return [];
  return errors.slice(0, 5).flatMap((entry: unknown) => {
    const { code, message } = (entry ?? {}) as { code?: unknown; message?: unknown };
    if (typeof code !== 'string') return [];
    return [{ code: printable(code), message: typeof message === 'string' ? printable(message) : '' }];
  });
}

/** Makes the error for an answer nobody asked for; reads at most 64 KiB of its body. */
export async function errorOfResponse(attempt: Attempt, response: HttpResponse): Promise<BuilderError> {
  const { status } = response;
  const text = await readBounded(response.body, MAX_ERROR_BODY)
    .then((read) => Buffer.from(read.content).toString('utf8'))
    .catch(() => '');
  const specErrors = parseSpecErrors(text);
  const codes = specErrors.map((e) => e.code).join(',');
  const said = specErrors.map((e) => (e.message === '' ? e.code : `${e.code}: ${e.message}`)).join('; ');
  const refusedLogin = status === 401 || status === 403;
  const wait = retryAfterMs(response.header('retry-after'));
  return new BuilderError(
    refusedLogin ? 'registry.unauthorized' : 'registry.request-failed',
    `cannot ${attempt.purpose}: ${attempt.method} ${redactUrl(attempt.url)} answered ${status}${said === '' ? '' : ` (${said})`}`,
    {
      ...(refusedLogin ? { hint: `log in to ${attempt.url.host}, or check that the name is right` } : {}),
      facts: {
        method: attempt.method,
        url: redactUrl(attempt.url),
        status,
        ...(codes === '' ? {} : { specCodes: codes }),
        retryable: isPassingStatus(status),
        ...(wait === undefined ? {} : { retryAfterMs: wait }),
      },
    },
  );
}

/** Makes the error for a connection that gave no answer. */
export function errorOfConnection(attempt: Attempt, cause: unknown, retryable: boolean): BuilderError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const hint = hintFor((cause as NodeJS.ErrnoException | undefined)?.code);
  return new BuilderError(
    'registry.request-failed',
    `cannot ${attempt.purpose}: ${attempt.method} ${redactUrl(attempt.url)}: ${printable(reason)}`,
    {
      cause,
      ...(hint === undefined ? {} : { hint }),
      facts: {
        method: attempt.method,
        url: redactUrl(attempt.url),
        retryable,
        ...((cause as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT' ? { standstill: true } : {}),
      },
    },
  );
}

const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
]);

function hintFor(code: string | undefined): string | undefined {
  if (code !== undefined && UNTRUSTED.has(code)) {
    return 'put the CA as a .crt file into the directory given with --cert-dir, or into certs.d/HOST:PORT';
  }
  // What OpenSSL says when the other side speaks plain HTTP.
  if (code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER') {
    return 'if the registry speaks plain HTTP, say --tls-verify=false or mark it insecure in registries.conf';
  }
  return undefined;
}
