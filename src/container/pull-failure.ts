/** Why an image could not be fetched from anywhere: which places were tried, and with whose login. */
import { findCredentials } from '../registry/credentials.ts';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import { formatReference, type QualifiedReference } from '../spec/reference.ts';

export interface FailedPull {
  readonly place: QualifiedReference;
  readonly isMirror: boolean;
  readonly error: unknown;
}

export interface PullLogin {
  /** A login was given with the command. */
  readonly hasCreds?: boolean;
  readonly authfile?: string | undefined;
  readonly helpers?: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * The error for a pull that failed everywhere.
 * @param failures at least one, in the order tried
 * @returns for one place its own error; for several `registry.request-failed` naming each. Facts: `tried`, and
 *   `credentialSource` where a login was refused: a file, a helper, `--creds` or `none`, never the login
 */
export async function pullFailure(
  location: string,
  failures: readonly FailedPull[],
  login: PullLogin,
): Promise<unknown> {
  const refused = failures.findLast(({ error }) => isBuilderError(error, 'registry.unauthorized'));
  const about = refused === undefined ? undefined : await loginOf(refused.place, login);
  const [first, ...others] = failures;
  if (others.length === 0) return about === undefined ? first?.error : withLogin(first!.error as BuilderError, about);
  const reasons = failures.map(({ place, isMirror, error }) => {
    const name = `${formatReference(place)}${isMirror ? ' (a mirror)' : ''}`;
    return `${name}: ${error instanceof Error ? error.message : String(error)}`;
  });
  const tried = failures.map(({ place }) => formatReference(place)).join(', ');
  return new BuilderError(
    'registry.request-failed',
    `cannot pull ${location} from any of ${failures.length} places: ${reasons.join('; ')}`,
    {
      cause: failures.at(-1)!.error,
      ...(about === undefined ? {} : { hint: about.hint }),
      facts: { tried, ...(about === undefined ? {} : { credentialSource: about.source }) },
    },
  );
}

interface LoginSource {
  readonly source: string;
  readonly hint: string;
}

async function loginOf(
  place: QualifiedReference,
  { hasCreds, authfile, helpers, env }: PullLogin,
): Promise<LoginSource> {
  const host = place.registry;
  const orName = 'or check that the name is right';
  if (hasCreds === true) return { source: '--creds', hint: `${host} refuses the login of --creds; ${orName}` };
  // A file that cannot be read was told of when the registry asked for the login.
  const found = await findCredentials(`${host}/${place.repository}`, { authfile, helpers, env }).catch(() => undefined);
  if (found === undefined) {
    return { source: 'none', hint: `no login for ${host} was found: slipway login ${host}, ${orName}` };
  }
  return { source: found.source, hint: `${host} refuses the login of ${found.source}: log in again, ${orName}` };
}

function withLogin(error: BuilderError, { source, hint }: LoginSource): BuilderError {
  return new BuilderError(error.code, error.message, {
    cause: error.cause,
    hint,
    ...(error.span === undefined ? {} : { span: error.span }),
    facts: { ...error.facts, credentialSource: source },
  });
}
