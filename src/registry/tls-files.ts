/**
 * Certificates for one registry: a directory given by hand, or the `certs.d/HOST[:PORT]` directories other container
 * tools read. `*.crt` are CAs, `*.cert` + `*.key` a client certificate.
 * @see containers-certs.d(5)
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { configDirectory } from '../sys/user-directories.ts';
import type { Environment } from './proxy.ts';

export interface TlsFiles {
  /** PEM; in addition to the system's CAs. */
  readonly ca: readonly Buffer[];
  readonly client: readonly { readonly cert: Buffer; readonly key: Buffer }[];
}

/** Directories for `host`, nearest first; the first that exists is used alone. */
function candidates(host: string, env: Environment): string[] {
  return [
    join(configDirectory(env), 'containers/certs.d', host),
    join('/etc/containers/certs.d', host),
    join('/usr/share/containers/certs.d', host),
    join('/etc/docker/certs.d', host),
  ];
}

/** @throws `registry.request-failed` when `certDir` cannot be read or a client certificate lacks its key */
export function loadTlsFiles(host: string, certDir: string | undefined, env: Environment): TlsFiles {
  if (certDir !== undefined) {
    const names = entriesOf(certDir);
    if (names === undefined) {
      throw new BuilderError('registry.request-failed', `cannot read the certificate directory ${certDir}`);
    }
    return readFiles(certDir, names);
  }
  for (const directory of candidates(host, env)) {
    const names = entriesOf(directory);
    if (names !== undefined) return readFiles(directory, names);
  }
  return { ca: [], client: [] };
}

function entriesOf(directory: string): readonly string[] | undefined {
  try {
    return readdirSync(directory).sort();
  } catch {
    return undefined;
  }
}

function readFiles(directory: string, names: readonly string[]): TlsFiles {
  const read = (name: string): Buffer => {
    try {
      return readFileSync(join(directory, name));
    } catch (cause) {
      throw new BuilderError('registry.request-failed', `cannot read ${join(directory, name)}`, { cause });
    }
  };
  const client = names
    .filter((name) => name.endsWith('.cert'))
    .map((name) => {
      const key = name.replace(/\.cert$/, '.key');
      if (!names.includes(key)) {
        throw new BuilderError(
          'registry.request-failed',
          `client certificate ${join(directory, name)} has no ${key} beside it`,
        );
      }
      return { cert: read(name), key: read(key) };
    });
  return { ca: names.filter((name) => name.endsWith('.crt')).map(read), client };
}
