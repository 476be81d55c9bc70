/**
 * Logins for downloads, given as secrets of well-known names: `HTTP_AUTH_TOKEN_<host>` and `HTTP_AUTH_HEADER_<host>` for
 * http, `GIT_AUTH_TOKEN[.<host>]` and `GIT_AUTH_HEADER[.<host>]` for git. They go to that host and nowhere else.
 *
 * @see Dockerfile reference, "ADD", and BuildKit's predefined secrets
 */
import { BuilderError } from '../report/builder-error.ts';
import type { Environment } from './engine.ts';
import { readSecret, type SecretSource } from './secret-source.ts';

type Secrets = ReadonlyMap<string, SecretSource> | undefined;

/** Value of the `Authorization` header for an http URL. @throws `usage.invalid` when the secret cannot be read */
export function httpLogin(text: string, secrets: Secrets, env: Environment): string | undefined {
  const names = hostsOf(text);
  const header = find(
    names.map((host) => `HTTP_AUTH_HEADER_${host}`),
    secrets,
    env,
  );
  if (header !== undefined) return header;
  const token = find(
    names.map((host) => `HTTP_AUTH_TOKEN_${host}`),
    secrets,
    env,
  );
  return token === undefined ? undefined : `Bearer ${token}`;
}

/** The same for a git remote reached by http or https. */
export function gitLogin(remote: string, secrets: Secrets, env: Environment): string | undefined {
  if (!/^https?:\/\//.test(remote)) return undefined;
  const ends = [...hostsOf(remote).map((host) => `.${host}`), ''];
  const header = find(
    ends.map((end) => `GIT_AUTH_HEADER${end}`),
    secrets,
    env,
  );
  if (header !== undefined) return header;
  const token = find(
    ends.map((end) => `GIT_AUTH_TOKEN${end}`),
    secrets,
    env,
  );
  return token === undefined ? undefined : `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
}

/** With the port and without. */
function hostsOf(text: string): string[] {
  if (!URL.canParse(text)) return [];
  const { host, hostname } = new URL(text);
  return [...new Set([host, hostname])];
}

function find(ids: readonly string[], secrets: Secrets, env: Environment): string | undefined {
  const source = ids.map((id) => secrets?.get(id)).find((secret) => secret !== undefined);
  if (source === undefined) return undefined;
  const value = readSecret(source, env).toString('utf8').trim();
  if (!/[\r\n\0]/.test(value)) return value;
  throw new BuilderError('usage.invalid', `the secret ${JSON.stringify(source.id)} has more than one line`);
}
