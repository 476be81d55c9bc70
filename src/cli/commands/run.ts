/** `run`: runs a command in a working container and answers with its exit code. */
import type { CommandContext } from '../command.ts';
import { statusCode, statusText } from '../exit-code.ts';
import { isCoded } from '../output/error-text.ts';
import { runDefaults } from '../run-defaults.ts';
import { UsageError } from '../usage-error.ts';

export async function run(c: CommandContext): Promise<number> {
  const { container, command } = words(c);
  const options = runOptions(c);
  await using builder = await c.open();
  try {
    const status = await builder.run(container, command, options);
    const code = statusCode(status);
    const valid = c.flags.ints('valid-exit-codes') ?? [0];
    if (status.kind === 'exited' && valid.includes(code)) return 0;
    c.stderr.write(`Error: while running runtime: ${statusText(status)}\n`);
    // A success that is not among the valid codes must not look like one.
    return code === 0 ? 1 : code;
  } catch (error) {
    if (!isCoded(error) || error.code !== 'run.start-failed') throw error;
    c.stderr.write(`Error: ${error.message}\n`);
    if (error.hint !== undefined) c.stderr.write(`help: ${error.hint}\n`);
    // What the runtime cannot start ends with 1, neither 125 nor a shell's 126 and 127.
    return 1;
  }
}

/** The first word is the container; one `--` may follow it. */
function words({ args, dashAt }: CommandContext): { container: string; command: readonly string[] } {
  const [container, ...rest] = args;
  const command = dashAt === undefined && rest[0] === '--' ? rest.slice(1) : rest;
  if (command.length === 0) throw new UsageError('command must be specified');
  return { container: container!, command };
}

function runOptions(c: CommandContext): Parameters<Awaited<ReturnType<CommandContext['open']>>['run']>[2] {
  const { flags } = c;
  const envAdd = flags.strings('env');
  const mounts = flags.strings('mount');
  const user = flags.string('user');
  const cwd = flags.string('workingdir');
  const hostname = flags.string('hostname');
  const contextDir = flags.string('contextdir');
  return {
    ...runDefaults(c, 'run'),
    ...(envAdd === undefined ? {} : { envAdd }),
    ...(mounts === undefined ? {} : { mounts }),
    ...(user === undefined ? {} : { user }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(contextDir === undefined ? {} : { contextDir }),
    ...(flags.on('add-history') ? { addHistory: true } : {}),
    terminal: flags.bool('terminal') ?? c.stdin.isTTY === true,
    stdin: 'inherit',
    signal: c.signal,
  };
}
