/** `login`, `logout`: credentials are tried against the registry before they are kept. */
import {
  type CredentialOptions,
  findCredentials,
  removeAllCredentials,
  removeCredentials,
  saveCredentials,
} from '../registry/credentials.ts';
import { isInsecure } from '../registry/image-source.ts';
import { loadRegistriesConf } from '../registry/registries-conf.ts';
import { checkLogin } from '../registry/repository.ts';
import type { Engine, Environment } from './engine.ts';
import { registriesConf } from './short-names.ts';
import type { LoginOptions } from './verb-options.ts';

export interface AuthFileOptions {
  readonly authfile?: string;
  readonly compatAuthFile?: string;
  readonly registriesConf?: string;
  readonly registriesConfDir?: string;
  readonly env?: Environment;
}

/**
 * Gives the file or the credential helper that keeps the login.
 * @throws `registry.unauthorized` when the registry refuses; nothing is kept then
 */
export async function login(engine: Engine, registry: string, o: LoginOptions): Promise<string> {
  const creds = { username: o.username, password: o.password };
  const conf = registriesConf(engine);
  const host = registry.split('/')[0]!;
  const tlsVerify = o.tlsVerify ?? !isInsecure(host, conf);
  await checkLogin(host, { ...o, tlsVerify, creds, env: engine.env });
  return await saveCredentials(registry, creds, {
    authfile: o.authfile,
    compatAuthFile: o.compatAuthFile,
    helpers: conf.credentialHelpers,
    env: engine.env,
  });
}

/** Forgets the login at one registry, or all; false when there was none. */
export async function logout(registry: string | { readonly all: true }, o: AuthFileOptions = {}): Promise<boolean> {
  if (typeof registry === 'string') return removeCredentials(registry, withHelpers(o));
  await removeAllCredentials(withHelpers(o));
  return true;
}

/** The user logged in at a registry; undefined when nobody is. */
export async function getLogin(registry: string, o: AuthFileOptions = {}): Promise<string | undefined> {
  const found = await findCredentials(registry, { ...withHelpers(o), mayBeMissing: true });
  return found?.credentials.kind === 'basic' ? found.credentials.username : undefined;
}

function withHelpers(o: AuthFileOptions): CredentialOptions {
  const conf = loadRegistriesConf({ path: o.registriesConf, dir: o.registriesConfDir, env: o.env });
  return { ...o, helpers: conf.credentialHelpers };
}
