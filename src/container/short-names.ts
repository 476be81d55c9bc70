/** What short names mean on this machine, by its registry configuration. */
import { resolveShortName } from '../registry/image-source.ts';
import { loadRegistriesConf, type RegistriesConf } from '../registry/registries-conf.ts';
import { formatReference, localReference, parseReference, qualify, withDefaultTag } from '../spec/reference.ts';
import type { Engine } from './engine.ts';
import { containersConf } from './machine-defaults.ts';

const loaded = new WeakMap<Engine, RegistriesConf>();

/** The registry configuration of this machine and user, read once. @throws `usage.invalid` naming file, line and key */
export function registriesConf(engine: Engine): RegistriesConf {
  let conf = loaded.get(engine);
  if (conf === undefined) {
    conf = loadRegistriesConf({
      path: engine.registriesConf,
      dir: engine.registriesConfDir,
      aliasFile: engine.shortNameAliasConf,
      env: engine.env,
      uid: engine.callerUid,
    });
    loaded.set(engine, conf);
  }
  return conf;
}

/** The same for who is about to speak to registries, with what containers.conf says of trying again. */
export function registryAccess(engine: Engine): RegistriesConf {
  const { retries, retryDelayMs } = containersConf(engine);
  const retry = {
    ...(retries === undefined ? {} : { retries }),
    ...(retryDelayMs === undefined ? {} : { delayMs: retryDelayMs }),
  };
  return { ...registriesConf(engine), retry };
}

/**
 * Full names under which the store is searched for a short or full name, in Buildah's order: its alias, `localhost/`,
 * the search registries, Docker Hub. Empty for what is no image name.
 */
export function localNames(engine: Engine, name: string): readonly string[] {
  let reference: ReturnType<typeof parseReference>;
  try {
    reference = parseReference(name);
  } catch {
    return [];
  }
  if (reference.registry !== undefined) return [formatReference(withDefaultTag(reference))];
  const conf = registriesConf(engine);
  const names = [
    aliasedName(engine, name),
    ...['localhost', ...conf.searchRegistries, 'docker.io'].map((registry) =>
      formatReference(withDefaultTag(qualify(reference, registry))),
    ),
  ];
  return [...new Set(names.filter((full) => full !== undefined))];
}

/** What a short name stands for by an alias; undefined for one without and for full names. */
export function aliasedName(engine: Engine, name: string): string | undefined {
  const reference = parseReference(name);
  if (reference.registry !== undefined) return undefined;
  const { aliases } = registriesConf(engine);
  if (aliases.get(reference.repository)?.target === undefined) return undefined;
  const [first] = resolveShortName(reference, registriesConf(engine));
  return first === undefined ? undefined : formatReference(withDefaultTag(first));
}

/** The full name under which something new is stored: unqualified names go to `localhost/`, the tag is `latest`. */
export function newImageName(name: string): string {
  return formatReference(localReference(name));
}

/** Full names a short name may be pulled by, its alias alone or one for each search registry; empty when there is none. */
export function meanings(location: string, conf: RegistriesConf): readonly string[] {
  try {
    const names = resolveShortName(parseReference(location), { ...conf, shortNameMode: 'permissive' });
    return names.map((reference) => formatReference(withDefaultTag(reference)));
  } catch {
    return [];
  }
}
