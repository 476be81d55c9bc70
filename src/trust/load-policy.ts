/** Finds the policy that holds for this user on this machine. The first file found counts whole. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { configDirectory } from '../sys/user-directories.ts';
import { parsePolicy } from './parse-policy.ts';
import type { Policy } from './policy.ts';

export interface PolicyOptions {
  /** File given by the user; must exist. */
  readonly path?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Folders of the machine that may hold `containers/policy.json`; for tests. */
  readonly systemFolders?: readonly string[];
}

const SYSTEM_FOLDERS = ['/etc', '/usr/share'];

/** What mends a machine without a policy: what the packages of other tools install. */
export const MAKE_POLICY =
  `mkdir -p ~/.config/containers && echo '{"default":[{"type":"insecureAcceptAnything"}]}' > ` +
  '~/.config/containers/policy.json';

/** Where a policy is looked for, in this order, when none is named. */
export function policyPaths(
  env: Readonly<Record<string, string | undefined>>,
  systemFolders: readonly string[] = SYSTEM_FOLDERS,
): readonly string[] {
  const config = configDirectory(env);
  return [config, ...systemFolders].map((place) => join(place, 'containers/policy.json'));
}

/**
 * Reads the file given, else `CONTAINERS_POLICY_JSON`, else that of the user, of /etc/containers or of
 * /usr/share/containers.
 * @throws `trust.invalid` when there is none, the one that was named is missing, or one cannot be read or is malformed:
 *   nobody has said then which images to believe
 */
export function loadPolicy(o: PolicyOptions = {}): Policy {
  const env = o.env ?? process.env;
  const named = o.path ?? (env['CONTAINERS_POLICY_JSON'] || undefined);
  if (named !== undefined) return readPolicy(named) ?? missing(named);
  const paths = policyPaths(env, o.systemFolders);
  for (const path of paths) {
    const found = readPolicy(path);
    if (found !== undefined) return found;
  }
  throw new BuilderError(
    'trust.invalid',
    `no signature policy says which images may come in: none of ${paths.join(', ')} exists`,
    {
      hint: `accept every image: ${MAKE_POLICY}`,
      facts: { files: paths.join(' ') },
    },
  );
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
