/** Logins of registries without a store: what is kept, and forgetting it. */
import type { AuthFileOptions } from './container/login.ts';

/** The user logged in at a registry; undefined when nobody is. */
export async function getLogin(registry: string, o: AuthFileOptions = {}): Promise<string | undefined> {
  return (await import('./container/login.ts')).getLogin(registry, o);
}

/** Forgets the login at one registry, or all; false when there was none. */
export async function logout(registry: string | { readonly all: true }, o: AuthFileOptions = {}): Promise<boolean> {
  return (await import('./container/login.ts')).logout(registry, o);
}

export type { AuthFileOptions };
