/** Credential files: `{"auths": {key: {auth, identitytoken}}, "credHelpers": {}, "credsStore": ""}` and the flat old form. */
import { randomBytes } from 'node:crypto';
import { open, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { makeDirectories } from '../sys/make-directories.ts';

export interface AuthEntry {
  /** base64 of `user:password` */
  readonly auth?: string;
  readonly identitytoken?: string;
}

export interface AuthFile {
  readonly auths: ReadonlyMap<string, AuthEntry>;
  /** Registry → name of the helper program without `docker-credential-`. */
  readonly credHelpers: ReadonlyMap<string, string>;
  readonly credsStore: string | undefined;
}

type JsonMap = Readonly<Record<string, unknown>>;

function invalid(path: string, why: string, cause?: unknown): BuilderError {
  return new BuilderError('auth.file-invalid', `the credentials file ${path} cannot be used: ${why}`, { cause });
}

/** undefined when it does not exist or is empty. @throws `auth.file-invalid` */
export async function readAuthFile(path: string): Promise<AuthFile | undefined> {
  const document = await readDocument(path);
  if (document === undefined) return undefined;
  // `.dockercfg` has no "auths" around its entries.
  const isLegacy = basename(path) === '.dockercfg' && document['auths'] === undefined;
  const credsStore = document['credsStore'];
  return {
    auths: new Map(
      Object.entries(mapAt(document, isLegacy ? undefined : 'auths', path)).map(([key, entry]) => [
        key,
        checkEntry(entry, key, path),
      ]),
    ),
    credHelpers: new Map(
      Object.entries(mapAt(document, 'credHelpers', path)).map(([key, name]) => {
        if (typeof name !== 'string') throw invalid(path, `/credHelpers/${key} is not a string`);
        return [key, name];
      }),
    ),
    credsStore: typeof credsStore === 'string' && credsStore !== '' ? credsStore : undefined,
  };
}

/** What came out of pipes, which give it only once: `--authfile <(…)`. */
const piped = new Map<string, string>();

async function readText(path: string): Promise<string> {
  const known = piped.get(path);
  if (known !== undefined) return known;
  const file = await open(path, 'r');
  try {
    const text = await file.readFile('utf8');
    if (!(await file.stat()).isFile()) piped.set(path, text);
    return text;
  } finally {
    await file.close();
  }
}

async function readDocument(path: string): Promise<JsonMap | undefined> {
  let text: string;
  try {
    text = await readText(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // Another user's runtime directory is not ours to read: the same as no file.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return undefined;
    throw invalid(path, 'it cannot be read', cause);
  }
  if (text.trim() === '') return undefined;
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which holds passwords.
    throw invalid(path, 'it is not JSON');
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw invalid(path, 'it is not a JSON object');
  }
  return document as JsonMap;
}

function mapAt(document: JsonMap, key: string | undefined, path: string): JsonMap {
  const value = key === undefined ? document : (document[key] ?? {});
  if (typeof value !== 'object' || Array.isArray(value)) throw invalid(path, `/${key} is not an object`);
  return value as JsonMap;
}

function checkEntry(entry: unknown, key: string, path: string): AuthEntry {
  const { auth, identitytoken } = (entry ?? {}) as JsonMap;
  for (const value of [auth, identitytoken]) {
    if (value !== undefined && typeof value !== 'string')
      throw invalid(path, `/auths/${key} has a member that is no string`);
  }
  return {
    ...(auth === undefined ? {} : { auth: auth as string }),
    ...(identitytoken === undefined ? {} : { identitytoken: identitytoken as string }),
  };
}

/** Rewrites the `auths` member and leaves everything else as it is; the file is replaced whole, mode 0600. */
export async function updateAuthFile(
  path: string,
  edit: (auths: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>,
): Promise<void> {
  const document = (await readDocument(path)) ?? {};
  const auths = edit(mapAt(document, 'auths', path));
  const text = `${JSON.stringify({ ...document, auths }, undefined, '\t')}\n`;
  makeDirectories(dirname(path), 0o700);
  // A link to the real file (dotfiles kept elsewhere) stays a link.
  const target = await realpath(path).catch(() => path);
  const beside = `${target}.${randomBytes(6).toString('hex')}`;
  try {
    const file = await open(beside, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, target);
  } catch (cause) {
    await rm(beside, { force: true });
    throw invalid(path, 'it cannot be written', cause);
  }
}
