/** Finds the policy that holds for this user on this machine. The first file found counts whole. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { parsePolicy } from './parse-policy.ts';
import type { Policy } from './policy.ts';

export interface PolicyOptions {
  /** File given by the user; must exist. */
  readonly path?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * The policy of a machine that has none: what the packages of other tools install as /etc/containers/policy.json.
 * Their programs refuse to work without that file; a program that comes alone would not work at all.
 */
const BUILT_IN = '{"default":[{"type":"insecureAcceptAnything"}]}';

/**
 * Reads the file given, else `CONTAINERS_POLICY_JSON`, else that of the user, of /etc/containers or of
 * /usr/share/containers; where there is none every image is accepted.
 * @throws `trust.invalid` when a file that was named is missing, or one cannot be read or is malformed
 */
export function loadPolicy(o: PolicyOptions = {}): Policy {
  const env = o.env ?? process.env;
  const named = o.path ?? (env['CONTAINERS_POLICY_JSON'] || undefined);
  if (named !== undefined) return readPolicy(named) ?? missing(named);
  const config = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config');
  for (const place of [join(config, 'containers'), '/etc/containers', '/usr/share/containers']) {
    const found = readPolicy(join(place, 'policy.json'));
    if (found !== undefined) return found;
  }
  return parsePolicy({ name: 'built-in policy', text: BUILT_IN });
}

function missing(path: string): never {
  throw new BuilderError('trust.invalid', `the signature policy ${path} cannot be used: it does not exist`, {
    facts: { file: path },
  });
}

function readPolicy(path: string): Policy | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new BuilderError(
      'trust.invalid',
      `the signature policy ${path} cannot be used: it cannot be read (${code})`,
      {
        cause,
        facts: { file: path },
      },
    );
  }
  return parsePolicy({ name: path, text });
}
