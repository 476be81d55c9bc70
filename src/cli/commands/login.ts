/** `login` and `logout`: keep and forget credentials of registries. */
import type { LoginOptions } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { promptLine, promptSecret, readAll } from '../prompt.ts';
import { tlsOptions } from '../registry-options.ts';
import { UsageError } from '../usage-error.ts';

export async function login(c: CommandContext): Promise<number> {
  const { flags, args, env } = c;
  const registry = args[0]!;
  const files = authFiles(c);
  const { getLogin } = await c.library();
  const known = await getLogin(registry, { ...files, ...registryFiles(c), env });
  if (flags.on('get-login')) {
    if (known === undefined) throw new UsageError(`not logged into ${registry}`);
    c.stdout.write(`${known}\n`);
    return 0;
  }
  const { username, password } = await credentials(c, known);
  const options: LoginOptions = { ...(await tlsOptions(c)), ...files, username, password, signal: c.signal };
  await using builder = await c.open();
  const keeper = await builder.login(registry, options);
  if (flags.on('verbose')) c.stdout.write(`Used: ${keeper}\n`);
  c.stdout.write('Login Succeeded!\n');
  return 0;
}

export async function logout(c: CommandContext): Promise<number> {
  const { flags, args, env } = c;
  const all = flags.on('all');
  if (all && args.length > 0) throw new UsageError('--all takes no arguments');
  if (!all && args.length === 0) throw new UsageError('registry must be given');
  const library = await c.library();
  const removed = await library.logout(all ? { all: true } : args[0]!, { ...authFiles(c), ...registryFiles(c), env });
  if (!removed) throw new UsageError(`not logged into ${args[0]}`);
  c.stdout.write(all ? 'Removed login credentials for all registries\n' : `Removed login credentials for ${args[0]}\n`);
  return 0;
}

function authFiles({ flags }: CommandContext): { authfile?: string; compatAuthFile?: string } {
  const authfile = flags.string('authfile');
  const compatAuthFile = flags.string('compat-auth-file');
  if (authfile !== undefined && compatAuthFile !== undefined) {
    throw new UsageError(
      'options for paths to the credential file and to the Docker-compatible one can not be set simultaneously',
    );
  }
  return {
    ...(authfile === undefined ? {} : { authfile }),
    ...(compatAuthFile === undefined ? {} : { compatAuthFile }),
  };
}

function registryFiles({ flags }: CommandContext): { registriesConf?: string; registriesConfDir?: string } {
  const registriesConf = flags.string('registries-conf');
  const registriesConfDir = flags.string('registries-conf-dir');
  return {
    ...(registriesConf === undefined ? {} : { registriesConf }),
    ...(registriesConfDir === undefined ? {} : { registriesConfDir }),
  };
}

/** From flags, standard input, or by asking; a user known already is offered. */
async function credentials(
  c: CommandContext,
  known: string | undefined,
): Promise<{ username: string; password: string }> {
  const { flags } = c;
  const [given, secret] = [flags.string('username'), flags.string('password')];
  if (flags.on('password-stdin')) {
    if (given === undefined) throw new UsageError('Must provide --username with --password-stdin');
    if (secret !== undefined) throw new UsageError("Can't specify both --password-stdin and --password");
    // One line end belongs to the shell that piped the password, not to it.
    return { username: given, password: (await readAll(c)).replace(/\r?\n$/, '') };
  }
  const username = given ?? (await askName(c, known));
  return { username, password: secret ?? (await promptSecret('Password: ', c)) };
}

async function askName(c: CommandContext, known: string | undefined): Promise<string> {
  const answer = (await promptLine(known === undefined ? 'Username: ' : `Username (${known}): `, c)).trim();
  const username = answer === '' ? known : answer;
  if (username === undefined) throw new UsageError('a user name must be given');
  return username;
}
