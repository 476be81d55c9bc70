/** Puts the context of a corpus case on disk: `WORK/context`, `WORK/Dockerfile`, and what lies beside them. */
import { chmodSync, lchownSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { command } from './command.ts';
import type { CaseEntry, LanguageCase } from './language-case.ts';

/** Every file's time unless the case says another. */
const USUAL_TIME = 1_500_000_000;

export interface PreparedCase {
  readonly context: string;
  /** Outside the context; undefined where the builder has to find its own. */
  readonly file: string | undefined;
  readonly images: readonly { readonly name: string; readonly file: string }[];
  readonly flags: readonly string[];
}

/** Makes `work` (which must not exist) and what the case needs in it. Runs where owners can be given. */
export function prepareCase(one: LanguageCase, work: string, http: string): PreparedCase {
  const context = join(work, 'context');
  mkdirSync(context, { recursive: true });
  for (const entry of one.entries) writeEntry(context, entry);
  const fill = (text: string) => text.replaceAll('{dir}', work).replaceAll('{http}', http);
  const env = { ...process.env, LC_ALL: 'C', DIR: work, GIT_CONFIG_GLOBAL: '/dev/null' };
  for (const script of one.prepare) command('/bin/sh', ['-eu', '-c', `umask 022\n${script}`], { cwd: context, env });
  command('find', [context, '-exec', 'touch', '-h', '-d', `@${USUAL_TIME}`, '{}', '+']);
  for (const entry of one.entries) finishEntry(context, entry);
  const file = one.dockerfile === undefined ? undefined : join(work, 'Dockerfile');
  if (file !== undefined) writeFileSync(file, fill(one.dockerfile!));
  const images = one.images.map(({ name, text }) => ({ name, file: join(work, `Dockerfile.${name}`), text }));
  for (const image of images) writeFileSync(image.file, fill(image.text));
  return { context, file, images, flags: one.flags.map(fill) };
}

function writeEntry(context: string, entry: CaseEntry): void {
  const path = join(context, entry.path);
  mkdirSync(dirname(path), { recursive: true });
  if (entry.kind === 'directory') mkdirSync(path, { recursive: true });
  else if (entry.kind === 'symlink') symlinkSync(entry.target, path);
  else writeFileSync(path, entry.content);
}

function finishEntry(context: string, entry: CaseEntry): void {
  const path = join(context, entry.path);
  if (entry.owner !== undefined) {
    const [uid = 0, gid = 0] = entry.owner.split(':').map(Number);
    lchownSync(path, uid, gid);
  }
  // After the owner: a change of owner takes setuid away.
  if (entry.mode !== undefined) chmodSync(path, Number.parseInt(entry.mode, 8));
  const seconds = entry.mtime ?? USUAL_TIME;
  lutimesSync(path, seconds, seconds);
}
