/** Agents a RUN may speak to: `default|id[=SOCKET]`. The socket is shown inside while the process runs, nothing else. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { Environment } from './engine.ts';

export interface SshAgent {
  readonly id: string;
  /** Absolute path of a unix socket. */
  readonly socket: string;
}

/**
 * @throws `usage.invalid` when there is no such socket
 * @throws `usage.unsupported` for key files, which would need an agent of our own holding them
 */
export function parseSshAgent(text: string, env: Environment, cwd: string): SshAgent {
  const at = text.indexOf('=');
  const id = at === -1 ? text : text.slice(0, at);
  const given = at === -1 ? env['SSH_AUTH_SOCK'] : text.slice(at + 1);
  if (id === '') throw new BuilderError('usage.invalid', `--ssh ${JSON.stringify(text)} has no id`);
  if (given === undefined || given === '') {
    throw new BuilderError('usage.invalid', `--ssh ${id} needs an agent, and SSH_AUTH_SOCK is not set`, {
      hint: 'start one with: eval "$(ssh-agent)" && ssh-add',
    });
  }
  if (given.includes(',')) throw unsupported(text);
  const socket = resolve(cwd, given);
  const stat = statSync(socket, { throwIfNoEntry: false });
  if (stat === undefined) throw new BuilderError('usage.invalid', `--ssh ${id}: there is no ${socket}`);
  if (!stat.isSocket()) throw unsupported(text);
  return { id, socket };
}

function unsupported(text: string): BuilderError {
  return new BuilderError(
    'usage.unsupported',
    `--ssh ${text}: key files are not supported, only the socket of an agent`,
    {
      hint: 'load the key into an agent with ssh-add and pass --ssh default',
    },
  );
}
