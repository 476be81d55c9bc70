/** What short names mean on this machine, by its registry configuration. */
import { resolveShortName } from '../registry/image-source.ts';
import { loadRegistriesConf, type RegistriesConf } from '../registry/registries-conf.ts';
import { formatReference, parseReference, withDefaultTag } from '../spec/reference.ts';
import type { Engine } from './engine.ts';

/** The registry configuration of this machine and user. @throws `usage.invalid` naming file, line and key */
export function registriesConf(engine: Engine): RegistriesConf {
  return loadRegistriesConf({
    path: engine.registriesConf,
    dir: engine.registriesConfDir,
    env: engine.env,
    uid: engine.callerUid,
  });
}

/** Full names a short name may mean, aliases first, as the local store is searched by; empty when there is none. */
export function meanings(location: string, conf: RegistriesConf): string[] {
  try {
    const names = resolveShortName(parseReference(location), { ...conf, shortNameMode: 'permissive' });
    return names.map((reference) => formatReference(withDefaultTag(reference)));
  } catch {
    return [];
  }
}
