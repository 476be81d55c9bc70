/**
 * Secrets as the caller names them: `id=I[,src=FILE|VAR][,env=VAR][,type=file|env]`. The value is read when a step asks
 * for it and is held nowhere else: not in records, keys, history or logs.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { Environment } from './engine.ts';

/** As BuildKit: nothing larger than this is a secret. */
const MAX_BYTES = 500 * 1024;

export type SecretSource =
  | { readonly id: string; readonly kind: 'file'; readonly path: string }
  | { readonly id: string; readonly kind: 'env'; readonly variable: string };

/** @throws `usage.invalid`, without ever quoting a value */
export function parseSecret(text: string, env: Environment, cwd: string): SecretSource {
  const fields = new Map<string, string>();
  for (const field of text.split(',')) {
    const at = field.indexOf('=');
    const key = (at === -1 ? field : field.slice(0, at)).trim();
    if (!['id', 'src', 'source', 'env', 'type'].includes(key) || at === -1) {
      throw new BuilderError('usage.invalid', `a secret has no option ${JSON.stringify(key)}`, {
        hint: 'write id=NAME,src=FILE or id=NAME,env=VARIABLE',
      });
    }
    fields.set(key === 'source' ? 'src' : key, field.slice(at + 1));
  }
  const id = fields.get('id');
  const type = fields.get('type');
  if (id === undefined || id === '') throw new BuilderError('usage.invalid', 'a secret needs an id=NAME');
  if (type !== undefined && type !== 'file' && type !== 'env') {
    throw new BuilderError(
      'usage.invalid',
      `the secret ${JSON.stringify(id)} has type ${JSON.stringify(type)}: it must be file or env`,
    );
  }
  const src = fields.get('src');
  const variable = fields.get('env') ?? (type === 'env' ? (src ?? id) : undefined);
  if (variable !== undefined) return { id, kind: 'env', variable };
  if (src === undefined && type === undefined && env[id] !== undefined) return { id, kind: 'env', variable: id };
  return { id, kind: 'file', path: resolve(cwd, src ?? id) };
}

/** The value. @throws `usage.invalid` when file or variable is missing or the value is too large */
export function readSecret(source: SecretSource, env: Environment): Buffer {
  if (source.kind === 'env') {
    const value = env[source.variable];
    if (value !== undefined) return limited(source, Buffer.from(value));
    throw new BuilderError(
      'usage.invalid',
      `the secret ${JSON.stringify(source.id)} needs the environment variable ${source.variable}, which is not set`,
    );
  }
  try {
    return limited(source, readFileSync(source.path));
  } catch (cause) {
    if (cause instanceof BuilderError) throw cause;
    throw new BuilderError(
      'usage.invalid',
      `cannot read the file ${source.path} of the secret ${JSON.stringify(source.id)}`,
      { cause },
    );
  }
}

function limited(source: SecretSource, value: Buffer): Buffer {
  if (value.length <= MAX_BYTES) return value;
  throw new BuilderError('usage.invalid', `the secret ${JSON.stringify(source.id)} is larger than ${MAX_BYTES} bytes`);
}
