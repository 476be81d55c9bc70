/** The environment of a RUN: what the image says, what the caller adds, what every process expects. Nothing else. */
import { BuilderError } from '../report/builder-error.ts';
import { DEFAULT_PATH } from './command-lookup.ts';

export interface EnvironmentSources {
  /** `K=V` of the image config. */
  readonly image: readonly string[];
  /** `K=V` given for this run; wins over the image. */
  readonly extra?: readonly string[];
  /** Proxy settings by their names, already chosen by the caller; they do not replace what is set. */
  readonly proxies?: Readonly<Record<string, string>>;
  /** Home directory by passwd. */
  readonly home?: string;
  readonly hostname?: string;
  /** With a terminal TERM is set. */
  readonly terminal?: boolean;
}

/** The names of the variables Docker and Buildah hand to a build as proxy settings. */
export const PROXY_VARIABLES: readonly string[] = [
  'http_proxy',
  'https_proxy',
  'ftp_proxy',
  'no_proxy',
  'all_proxy',
].flatMap((name) => [name, name.toUpperCase()]);

/** The proxy settings in an environment. */
export function proxiesOf(env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    PROXY_VARIABLES.flatMap((name) => {
      const value = env[name];
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );
}

/**
 * `K=V`, each name once, in order of first appearance, PATH first.
 * @throws `run.start-failed` for an image entry without `=`: it would mean "copy from the host" elsewhere
 */
export function runEnvironment(sources: EnvironmentSources): readonly string[] {
  const variables = new Map<string, string>([['PATH', DEFAULT_PATH]]);
  for (const entry of [...sources.image, ...(sources.extra ?? [])]) {
    const equals = entry.indexOf('=');
    if (equals < 1 || entry.includes('\0')) {
      throw new BuilderError(
        'run.start-failed',
        `${JSON.stringify(entry)} is not an environment variable: expected NAME=value`,
      );
    }
    variables.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  const fallback = (name: string, value: string | undefined): void => {
    if (value !== undefined && !variables.has(name)) variables.set(name, value);
  };
  for (const [name, value] of Object.entries(sources.proxies ?? {})) fallback(name, value);
  fallback('HOSTNAME', sources.hostname);
  // An image that sets HOME to nothing means the default, as runc has it.
  if (variables.get('HOME') === '') variables.delete('HOME');
  fallback('HOME', sources.home);
  if (sources.terminal === true) fallback('TERM', 'xterm');
  return [...variables].map(([name, value]) => `${name}=${value}`);
}
