/** What a RUN may sign with: `--ssh default|id[=SOCKET|KEY[,KEY…]]`. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { Environment } from './engine.ts';
import { readSshKey, type SshKey } from './ssh-key.ts';

export type SshAgent =
  /** The caller's agent; an absolute path. */
  | { readonly id: string; readonly kind: 'socket'; readonly socket: string }
  /** Keys held in this process's memory. */
  | { readonly id: string; readonly kind: 'keys'; readonly keys: readonly SshKey[] };

/** @throws `usage.invalid` when there is no such socket or key, or a key cannot be used without a passphrase */
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
  const paths = (at === -1 ? [given] : given.split(',')).map((path) => resolve(cwd, path));
  const stats = paths.map((path) => statSync(path, { throwIfNoEntry: false }));
  const missing = stats.indexOf(undefined);
  if (missing !== -1) throw new BuilderError('usage.invalid', `--ssh ${id}: there is no ${paths[missing]}`);
  if (!stats.some((stat) => stat?.isSocket())) return { id, kind: 'keys', keys: paths.map(readSshKey) };
  if (paths.length === 1) return { id, kind: 'socket', socket: paths[0]! };
  throw new BuilderError('usage.invalid', `--ssh ${id} names an agent's socket and more: it is one socket, or keys`);
}
