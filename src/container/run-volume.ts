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

/** `source:target[:options]`. @throws `usage.invalid`, `usage.unsupported` */
export function parseVolume(text: string, cwd: string): RunMount {
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
  const flags: ('nosuid' | 'nodev' | 'noexec')[] = [];
  for (const word of options.split(',').filter((part) => part !== '')) {
    if (word === 'ro') readOnly = true;
    else if (word === 'O') overlay = true;
    else if (word === 'nosuid' || word === 'nodev' || word === 'noexec') flags.push(word);
    else if (PROPAGATION.has(word)) propagation = word;
    else if (word === 'U')
      throw new BuilderError(
        'usage.unsupported',
        `volume option U (change the owner of the source) is not supported: ${text}`,
      );
    else if (!HARMLESS.has(word)) throw bad(`unknown option ${JSON.stringify(word)}`);
  }
  if (overlay) return { type: 'overlay', source: path, target };
  return {
    type: 'bind',
    source: path,
    target,
    readOnly,
    ...(propagation === undefined ? {} : { propagation }),
    ...(flags.length === 0 ? {} : { options: flags }),
  };
}
