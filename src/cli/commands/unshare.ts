/** `unshare`: a command or a shell inside the user namespace that rootless builds run in. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Builder, ExitStatus } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { statusCode } from '../exit-code.ts';
import { UsageError } from '../usage-error.ts';

export async function unshare(c: CommandContext): Promise<number> {
  const wanted = (c.flags.strings('mount') ?? []).map(parseMount);
  const command = c.args.length > 0 ? c.args : [c.env['SHELL'] || '/bin/sh'];
  await using builder = await c.open();
  const mounted: string[] = [];
  try {
    const paths: Record<string, string> = {};
    for (const { variable, container } of wanted) {
      paths[variable] = await builder.mount(container);
      mounted.push(container);
    }
    return statusCode(await runHere(command, { ...callerEnvironment(c.env), ...paths }, c.signal));
  } finally {
    await unmountAll(builder, mounted);
  }
}

/** What the launcher renamed goes back to its name. */
function callerEnvironment(env: CommandContext['env']): NodeJS.ProcessEnv {
  const { SLIPWAY_EXTRA_CA_CERTS: extra, ...rest } = env;
  return extra === undefined ? rest : { ...rest, NODE_EXTRA_CA_CERTS: extra };
}

/** `[VAR=]CONTAINER`; the variable is the container's own name when none is given, though a shell may not take it. */
function parseMount(text: string): { variable: string; container: string } {
  const equals = text.indexOf('=');
  const container = text.slice(equals + 1);
  const variable = equals === -1 ? text : text.slice(0, equals);
  if (container === '' || (equals !== -1 && !/^[A-Za-z_]\w*$/.test(variable))) {
    throw new UsageError(`invalid --mount "${text}": expected [VAR=]CONTAINER`);
  }
  return { variable, container };
}

async function unmountAll(builder: Builder, containers: readonly string[]): Promise<void> {
  for (const container of containers) await builder.umount(container);
}

/** The command shares our terminal and is told of our end. */
function runHere(command: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<ExitStatus> {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0]!, command.slice(1), { stdio: 'inherit', env });
    const onAbort = (): void => {
      child.kill('SIGTERM');
    };
    signal.addEventListener('abort', onAbort);
    child.on('error', (error: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', onAbort);
      const why = error.errno === -constants.errno.ENOENT ? 'no such program' : error.message;
      reject(new UsageError(`cannot run "${command[0]}": ${why}`));
    });
    child.on('close', (code, name) => {
      signal.removeEventListener('abort', onAbort);
      resolve(name === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signaled', signal: name });
    });
  });
}
