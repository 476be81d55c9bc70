/** Where the store is when nobody says so with a call: the machine's configuration, else the usual place. */
import { existsSync } from 'node:fs';
import { findConfigFiles } from '../sys/config-files.ts';
import type { StorageConf } from './storage-conf.ts';
import { defaultStoreRoots } from './store-paths.ts';

/** @throws `usage.invalid` naming file, line and key of a malformed storage.conf */
export async function configuredStore(
  env: Readonly<Record<string, string | undefined>>,
  uid: number,
): Promise<StorageConf & { readonly root: string; readonly runroot: string }> {
  const usual = defaultStoreRoots(env, uid);
  const named = (env['CONTAINERS_STORAGE_CONF'] ?? '') !== '';
  if (!named && !findConfigFiles('storage.conf', { env, uid }).some((path) => existsSync(path))) return usual;
  // Most machines have no such file, and the parser need not be loaded.
  const { loadStorageConf } = await import('./storage-conf.ts');
  return { ...usual, ...loadStorageConf(env, uid) };
}
