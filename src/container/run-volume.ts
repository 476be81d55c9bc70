/** `--volume SOURCE:TARGET[:OPTIONS]`: a directory of the host, shown to a process. */
import { existsSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { RunMount } from '../spec/process-spec.ts';

const PROPAGATION = new Set([
  'private',
  'rprivate',
  'slave',
  'rslave',
  'shared',
  'rshared',
  'unbindable',
  'runbindable',
]);
/** Words other tools write and that ask for nothing here; SELinux labels are not applied. */
const HARMLESS = new Set([
  'rw',
  'z',
  'Z',
  'bind',
  'rbind',
  'exec',
  'dev',
  'suid',
  'cached',
  'delegated',
  'consistent',
  'copy',
  'nocopy',
]);

/** A volume as written: what is shown, and what has to be done for it first. */
export interface Volume {
  readonly mount: Extract<RunMount, { readonly type: 'bind' | 'overlay' }>;
  /** `U`: everything in the source is to belong to the user of the process. */
  readonly isOwned: boolean;
  /** Directories in which an overlay keeps what is written to it. */
  readonly kept?: { readonly upper: string; readonly work: string };
}

/** Where a volume appears, as written. */
export function volumeTarget(text: string): string {
  return text.split(':')[1] ?? '';
}

/** `source:target[:options]`. @throws `usage.invalid` */
export function parseVolume(text: string, cwd: string): Volume {
  const [source = '', target, options = '', ...rest] = text.split(':');
  const bad = (why: string): BuilderError =>
    new BuilderError('usage.invalid', `invalid volume ${JSON.stringify(text)}: ${why}`);
  if (target === undefined || source === '' || rest.length > 0) throw bad('write SOURCE:TARGET[:OPTIONS]');
  if (!isAbsolute(target)) throw bad('the path inside the container must be absolute');
  const path = resolve(cwd, source);
  if (!existsSync(path)) throw bad(`there is no ${path}`);
  let readOnly = false;
  let overlay = false;
  let propagation: string | undefined;
  let isOwned = false;
  const directories = new Map<string, string>();
  const words = options.split(',').filter((part) => part !== '');
  const flags: ('nosuid' | 'nodev' | 'noexec' | 'norecurse')[] = [];
  if (words.includes('bind') && !words.includes('rbind')) flags.push('norecurse');
  for (const word of words) {
    const directory = /^(upperdir|workdir)=(.+)$/.exec(word);
    if (word === 'ro') readOnly = true;
    else if (word === 'O') overlay = true;
    else if (word === 'nosuid' || word === 'nodev' || word === 'noexec') flags.push(word);
    else if (PROPAGATION.has(word)) propagation = word;
    else if (word === 'U') isOwned = true;
    else if (directory !== null) directories.set(directory[1]!, resolve(cwd, directory[2]!));
    else if (!HARMLESS.has(word)) throw bad(`unknown option ${JSON.stringify(word)}`);
  }
  const kept = keptIn(directories, overlay, bad);
  if (overlay)
    return { mount: { type: 'overlay', source: path, target }, isOwned, ...(kept === undefined ? {} : { kept }) };
  const mount = {
    type: 'bind' as const,
    source: path,
    target,
    readOnly,
    ...(propagation === undefined ? {} : { propagation }),
    ...(flags.length === 0 ? {} : { options: flags }),
  };
  return { mount, isOwned };
}

/** @throws what `bad` gives for one directory without the other, one that is not there, or without an overlay */
function keptIn(
  directories: ReadonlyMap<string, string>,
  isOverlay: boolean,
  bad: (why: string) => BuilderError,
): Volume['kept'] {
  if (directories.size === 0) return undefined;
  const [upper, work] = [directories.get('upperdir'), directories.get('workdir')];
  if (!isOverlay) throw bad('upperdir and workdir are options of O');
  if (upper === undefined || work === undefined) throw bad('upperdir and workdir go together');
  const missing = [upper, work].find((path) => !existsSync(path));
  if (missing !== undefined) throw bad(`there is no ${missing}`);
  return { upper, work };
}
