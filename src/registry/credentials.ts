/**
 * Credentials for registries: where they are looked for and in which order, as Buildah does it, so that one login
 * serves every tool.
 * @see containers-auth.json(5), docker-login(1)
 */
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { callerUid } from '../sys/host.ts';
import { configDirectory, homeDirectory, runtimeDirectory } from '../sys/user-directories.ts';
import { type AuthEntry, type AuthFile, readAuthFile, updateAuthFile } from './auth-file.ts';
import type { Credentials } from './credential.ts';
import { askHelper, eraseFromHelper, listHelper, storeInHelper } from './credential-helper.ts';
import type { Environment } from './proxy.ts';

export interface CredentialOptions {
  /** Given by the user: the only file that is read and written; must exist to be read. */
  readonly authfile?: string | undefined;
  /** A file in Docker's format instead; keys are host names only. */
  readonly compatAuthFile?: string | undefined;
  /** Of registries.conf, asked in order: helper programs, and `containers-auth.json` for the files; default the files. */
  readonly helpers?: readonly string[] | undefined;
  /** Whether a file that was named need not be there yet, as before the first login. */
  readonly mayBeMissing?: boolean;
  readonly env?: Environment | undefined;
  readonly uid?: number | undefined;
}

export interface FoundCredentials {
  readonly credentials: Credentials;
  /** File or helper they come from, for messages. */
  readonly source: string;
}

/** Stands for the files among the names of helpers. @see containers-registries.conf(5), credential-helpers */
const FILES = 'containers-auth.json';

/** Keys under which Docker Hub's login is known; the first is ours. */
const DOCKER_HUB_KEYS = ['docker.io', 'index.docker.io', 'registry-1.docker.io', 'https://index.docker.io/v1/'];

interface Candidate {
  readonly path: string;
  /** Whether a missing file is an error: the user named it. */
  readonly isRequired: boolean;
}

/** Files to look in, in order. */
function candidateFiles(o: CredentialOptions): readonly Candidate[] {
  const env = o.env ?? process.env;
  const home = homeDirectory(env);
  if (o.compatAuthFile !== undefined) return [{ path: o.compatAuthFile, isRequired: true }];
  if (o.authfile !== undefined) return [{ path: o.authfile, isRequired: true }];
  if (env['REGISTRY_AUTH_FILE']) return [{ path: env['REGISTRY_AUTH_FILE'], isRequired: true }];
  if (env['DOCKER_CONFIG']) return [{ path: join(env['DOCKER_CONFIG'], 'config.json'), isRequired: false }];
  const config = configDirectory(env);
  return [
    runtimeAuthFile(env, o.uid),
    join(config, 'containers/auth.json'),
    join(home, '.docker/config.json'),
    join(home, '.dockercfg'),
  ].map((path) => ({ path, isRequired: false }));
}

function runtimeAuthFile(env: Environment, uid = callerUid(env)): string {
  const runtime = runtimeDirectory(env);
  return runtime === undefined ? `/run/containers/${uid}/auth.json` : join(runtime, 'containers/auth.json');
}

/** The file `login` writes to. */
export function writableAuthFile(o: CredentialOptions = {}): string {
  return candidateFiles(o)[0]!.path;
}

/** `host/ns/repo` → itself, `host/ns`, `host`; Docker Hub under all its names. */
function lookupKeys(target: string): readonly string[] {
  const keys: string[] = [];
  for (let key = target; key !== ''; key = key.includes('/') ? key.slice(0, key.lastIndexOf('/')) : '') keys.push(key);
  return hostOf(target) === 'docker.io' ? [...keys, ...DOCKER_HUB_KEYS.slice(1)] : keys;
}

function hostOf(target: string): string {
  return target.split('/', 1)[0]!;
}

/** Old files have `https://host/v1/`; only the host means something. */
function normalizeKey(key: string): string {
  if (DOCKER_HUB_KEYS.includes(key)) return key;
  const bare = key.replace(/^https?:\/\//, '');
  return key === bare ? key.replace(/\/$/, '') : hostOf(bare);
}

/**
 * Credentials for a registry (`host[:port]`) or repository (`host/ns/repo`), the most specific key of the first file
 * that has one, or what the first of the configured helpers knows.
 * @throws `auth.file-invalid` for a malformed file, a missing one that the user named, or a helper that fails when no
 *   other place has credentials
 */
export async function findCredentials(
  target: string,
  o: CredentialOptions = {},
): Promise<FoundCredentials | undefined> {
  const failures: unknown[] = [];
  for (const helper of o.helpers ?? [FILES]) {
    try {
      const found = helper === FILES ? await findInFiles(target, o) : await findInHelper(helper, target, o);
      if (found !== undefined) return found;
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return undefined;
}

async function findInHelper(
  helper: string,
  target: string,
  o: CredentialOptions,
): Promise<FoundCredentials | undefined> {
  const host = hostOf(target);
  for (const key of host === 'docker.io' ? ['docker.io', 'https://index.docker.io/v1/'] : [host]) {
    const credentials = await askHelper(helper, key, o.env ?? process.env);
    if (credentials !== undefined) return { credentials, source: `docker-credential-${helper}` };
  }
  return undefined;
}

async function findInFiles(target: string, o: CredentialOptions): Promise<FoundCredentials | undefined> {
  const env = o.env ?? process.env;
  for (const { path, isRequired } of candidateFiles(o)) {
    const file = await readAuthFile(path);
    if (file === undefined) {
      if (isRequired && o.authfile !== undefined && o.mayBeMissing !== true) throw missing(path);
      continue;
    }
    const found = await findInFile(file, path, target, env);
    if (found !== undefined) return found;
  }
  return undefined;
}

function missing(path: string): BuilderError {
  return new BuilderError('auth.file-invalid', `the credentials file ${path} does not exist`);
}

async function findInFile(
  file: AuthFile,
  path: string,
  target: string,
  env: Environment,
): Promise<FoundCredentials | undefined> {
  const helper = helperFor(file, hostOf(target));
  const kept = helper === undefined ? undefined : await findInHelper(helper, target, { env });
  if (kept !== undefined) return kept;
  const entries = new Map([...file.auths].map(([key, entry]) => [normalizeKey(key), entry]));
  for (const key of lookupKeys(target)) {
    const entry = entries.get(key);
    const credentials = entry === undefined ? undefined : credentialsOf(entry, key, path);
    if (credentials !== undefined) return { credentials, source: path };
  }
  return undefined;
}

function helperFor(file: AuthFile, host: string): string | undefined {
  const keys = host === 'docker.io' ? DOCKER_HUB_KEYS : [host];
  for (const key of keys) {
    const helper = file.credHelpers.get(key);
    if (helper !== undefined) return helper;
  }
  return file.credsStore;
}

function credentialsOf(entry: AuthEntry, key: string, path: string): Credentials | undefined {
  if (entry.identitytoken !== undefined && entry.identitytoken !== '') {
    return { kind: 'identity-token', token: entry.identitytoken };
  }
  // Docker leaves an empty entry where a helper keeps the secret.
  if (entry.auth === undefined || entry.auth === '') return undefined;
  const text = Buffer.from(entry.auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1) {
    throw new BuilderError('auth.file-invalid', `the entry for ${key} in ${path} is not base64 of user:password`);
  }
  // Docker pads some with NUL bytes.
  return { kind: 'basic', username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
}

type Login = { readonly username: string; readonly password: string };

/** Stores a login with the first of the configured helpers that takes it; gives the file or helper it went to. */
export async function saveCredentials(target: string, credentials: Login, o: CredentialOptions = {}): Promise<string> {
  const failures: unknown[] = [];
  for (const helper of o.helpers ?? [FILES]) {
    try {
      if (helper === FILES) return await saveInFile(target, credentials, o);
      return await saveInHelper(helper, target, target, credentials, o);
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

async function saveInHelper(
  helper: string,
  target: string,
  key: string,
  credentials: Login,
  o: CredentialOptions,
): Promise<string> {
  if (target.includes('/')) {
    throw new BuilderError('usage.unsupported', `credential helper ${helper} keeps whole registries, not ${target}`);
  }
  await storeInHelper(helper, key, credentials, o.env ?? process.env);
  return `docker-credential-${helper}`;
}

async function saveInFile(target: string, credentials: Login, o: CredentialOptions): Promise<string> {
  const path = writableAuthFile(o);
  const file = await readAuthFile(path);
  const helper = file === undefined ? undefined : helperFor(file, hostOf(target));
  if (helper !== undefined) return await saveInHelper(helper, target, helperKey(target, o), credentials, o);
  const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
  await updateAuthFile(path, (auths) => ({ ...auths, [helperKey(target, o)]: { auth } }));
  return path;
}

/** Docker knows its hub by a URL; its file must have that key to serve Docker. */
function helperKey(target: string, o: CredentialOptions): string {
  return o.compatAuthFile !== undefined && target === 'docker.io' ? 'https://index.docker.io/v1/' : target;
}

/** Forgets a login; false when there was none. */
export async function removeCredentials(target: string, o: CredentialOptions = {}): Promise<boolean> {
  let removed = false;
  for (const helper of o.helpers ?? [FILES]) {
    const here = helper === FILES ? removeFromFile(target, o) : eraseFromHelper(helper, target, o.env ?? process.env);
    removed = (await here) || removed;
  }
  return removed;
}

async function removeFromFile(target: string, o: CredentialOptions): Promise<boolean> {
  const env = o.env ?? process.env;
  const path = writableAuthFile(o);
  const file = await readAuthFile(path);
  if (file === undefined) return false;
  const helper = helperFor(file, hostOf(target));
  const erased = helper !== undefined && (await eraseFromHelper(helper, helperKey(target, o), env));
  const keys = new Set(target === 'docker.io' ? DOCKER_HUB_KEYS : [target]);
  const has = [...file.auths.keys()].some((key) => keys.has(normalizeKey(key)));
  if (has) {
    await updateAuthFile(path, (auths) =>
      Object.fromEntries(Object.entries(auths).filter(([key]) => !keys.has(normalizeKey(key)))),
    );
  }
  return erased || has;
}

/** Forgets every login of the configured helpers and of the writable file, those in its helpers included. */
export async function removeAllCredentials(o: CredentialOptions = {}): Promise<void> {
  const env = o.env ?? process.env;
  for (const helper of o.helpers ?? [FILES]) {
    if (helper === FILES) await removeAllFromFile(o);
    else for (const key of await listHelper(helper, env)) await eraseFromHelper(helper, key, env);
  }
}

async function removeAllFromFile(o: CredentialOptions): Promise<void> {
  const env = o.env ?? process.env;
  const path = writableAuthFile(o);
  const file = await readAuthFile(path);
  if (file === undefined) return;
  for (const [host, helper] of file.credHelpers) await eraseFromHelper(helper, host, env);
  if (file.credsStore !== undefined) {
    for (const key of await listHelper(file.credsStore, env)) await eraseFromHelper(file.credsStore, key, env);
  }
  if (file.auths.size > 0) await updateAuthFile(path, () => ({}));
}
