/**
 * Credential helper programs: `docker-credential-NAME get|store|erase|list`, question on stdin, JSON on stdout.
 * Secrets go through pipes only, never through arguments or the environment.
 * @see docker/docker-credential-helpers
 */
import { spawn } from 'node:child_process';
import { BuilderError } from '../report/builder-error.ts';
import type { Credentials } from './credential.ts';
import type { Environment } from './proxy.ts';

/** A helper may ask its keyring's user; it must still not hang a build for ever. */
const HELPER_TIMEOUT_MS = 60_000;
const MAX_OUTPUT = 1024 * 1024;
/** What helpers say, on stdout and with status 1, when they simply have nothing. */
const NOT_FOUND = /credentials not found|no credentials|not found in native keychain/i;

interface HelperAnswer {
  readonly status: number | null;
  readonly output: string;
}

function failure(helper: string, action: string, why: string, cause?: unknown): BuilderError {
  return new BuilderError('auth.file-invalid', `docker-credential-${helper} ${action} failed: ${why}`, { cause });
}

async function callHelper(helper: string, action: string, input: string, env: Environment): Promise<HelperAnswer> {
  // The name comes from a file and becomes part of a program name.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(helper)) throw failure(helper, action, 'that is not a helper name');
  return new Promise((resolve, reject) => {
    const child = spawn(`docker-credential-${helper}`, [action], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: env as NodeJS.ProcessEnv,
    });
    // Not the option of spawn: its timer goes on when the program does not exist, and holds this process with it.
    const timer = setTimeout(() => child.kill('SIGKILL'), HELPER_TIMEOUT_MS);
    const chunks: Buffer[] = [];
    let length = 0;
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(failure(helper, action, 'it cannot be started', cause));
    });
    child.stdout.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > MAX_OUTPUT) child.kill('SIGKILL');
      else chunks.push(chunk);
    });
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, output: Buffer.concat(chunks).toString('utf8') });
    });
    // A helper that ends without reading its question is judged by its status.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/** What the helper knows for `key`; undefined when it has nothing. @throws `auth.file-invalid` */
export async function askHelper(helper: string, key: string, env: Environment): Promise<Credentials | undefined> {
  const { status, output } = await callHelper(helper, 'get', key, env);
  if (status !== 0) {
    if (NOT_FOUND.test(output)) return undefined;
    throw failure(helper, 'get', output.trim().slice(0, 200) || `status ${status}`);
  }
  let answer: { Username?: unknown; Secret?: unknown };
  try {
    answer = JSON.parse(output) as typeof answer;
  } catch {
    throw failure(helper, 'get', 'its answer is not JSON');
  }
  const { Username: username, Secret: secret } = answer ?? {};
  if (typeof username !== 'string' || typeof secret !== 'string') {
    throw failure(helper, 'get', 'its answer has no Username and Secret');
  }
  if (username === '' && secret === '') return undefined;
  return username === '<token>'
    ? { kind: 'identity-token', token: secret }
    : { kind: 'basic', username, password: secret };
}

export async function storeInHelper(
  helper: string,
  key: string,
  credentials: { readonly username: string; readonly password: string },
  env: Environment,
): Promise<void> {
  const input = JSON.stringify({ ServerURL: key, Username: credentials.username, Secret: credentials.password });
  const { status, output } = await callHelper(helper, 'store', input, env);
  if (status !== 0) throw failure(helper, 'store', output.trim().slice(0, 200) || `status ${status}`);
}

/** False when the helper had nothing for `key`. */
export async function eraseFromHelper(helper: string, key: string, env: Environment): Promise<boolean> {
  if ((await askHelper(helper, key, env)) === undefined) return false;
  const { status, output } = await callHelper(helper, 'erase', key, env);
  if (status !== 0) throw failure(helper, 'erase', output.trim().slice(0, 200) || `status ${status}`);
  return true;
}

/** The keys the helper has something for. */
export async function listHelper(helper: string, env: Environment): Promise<readonly string[]> {
  const { status, output } = await callHelper(helper, 'list', '', env);
  if (status !== 0) return [];
  try {
    return Object.keys(JSON.parse(output) as object);
  } catch {
    return [];
  }
}
