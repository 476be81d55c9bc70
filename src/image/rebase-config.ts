/** Configs of an image that changes its base: three go in (old base, image, new base), one comes out. */
import type { ContainerConfig, HistoryEntry, ImageConfig } from '../spec/image-config.ts';

type Table = Readonly<Record<string, unknown>>;

/**
 * The new base's config, with everything the image had changed of its old base changed again. ENTRYPOINT and CMD go
 * together, as they do in a build; in PATH the old base's part is exchanged for the new one's.
 */
export function mergeConfig(old: ImageConfig, image: ImageConfig, fresh: ImageConfig): ImageConfig {
  const { created: _, history: __, rootfs: ___, ...rest } = fresh;
  return {
    ...rest,
    rootfs: image.rootfs,
    ...(image.author === undefined ? {} : { author: image.author }),
    ...(image.comment === undefined ? {} : { comment: image.comment }),
    config: mergeContainerConfig(old.config ?? {}, image.config ?? {}, fresh.config ?? {}),
  };
}

/** Decided one by one: the image's value where it differs from the old base's. */
const SINGLE = [
  'User',
  'WorkingDir',
  'StopSignal',
  'Shell',
  'Healthcheck',
  'OnBuild',
  'Hostname',
  'Domainname',
] as const;
const TABLES = ['Labels', 'ExposedPorts', 'Volumes'] as const;

function mergeContainerConfig(old: ContainerConfig, image: ContainerConfig, fresh: ContainerConfig): ContainerConfig {
  const merged: Record<string, unknown> = { ...fresh };
  const take = (name: keyof ContainerConfig, from: ContainerConfig): void => {
    if (from[name] === undefined) delete merged[name];
    else merged[name] = from[name];
  };
  for (const name of SINGLE) if (!isSame(old[name], image[name])) take(name, image);
  if (!isSame(old.Entrypoint, image.Entrypoint)) {
    take('Entrypoint', image);
    take('Cmd', image);
  } else if (!isSame(old.Cmd, image.Cmd)) take('Cmd', image);
  for (const name of TABLES) {
    const table = mergeTable(old[name] ?? {}, image[name] ?? {}, fresh[name] ?? {});
    if (Object.keys(table).length > 0) merged[name] = table;
    else delete merged[name];
  }
  const env = mergeEnv(old.Env ?? [], image.Env ?? [], fresh.Env ?? []);
  if (env.length > 0) merged['Env'] = env;
  else delete merged['Env'];
  return merged as ContainerConfig;
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

function mergeTable(old: Table, image: Table, fresh: Table): Table {
  const merged = new Map(Object.entries(fresh));
  for (const key of Object.keys(old)) if (!Object.hasOwn(image, key)) merged.delete(key);
  for (const [key, value] of Object.entries(image)) {
    if (!Object.hasOwn(old, key) || !isSame(old[key], value)) merged.set(key, value);
  }
  return Object.fromEntries(merged);
}

function mergeEnv(old: readonly string[], image: readonly string[], fresh: readonly string[]): readonly string[] {
  const [before, said, merged] = [old, image, fresh].map(variables) as [
    Map<string, string>,
    Map<string, string>,
    Map<string, string>,
  ];
  const base = merged.get('PATH');
  for (const name of before.keys()) if (!said.has(name)) merged.delete(name);
  for (const [name, value] of said) {
    const inherited = before.get(name);
    if (inherited === value) continue;
    const isGrown = name === 'PATH' && inherited !== undefined && inherited !== '' && base !== undefined;
    merged.set(name, isGrown ? value.replace(inherited, () => base) : value);
  }
  return [...merged].map(([name, value]) => `${name}=${value}`);
}

function variables(env: readonly string[]): Map<string, string> {
  return new Map(
    env.map((entry) => {
      const at = entry.indexOf('=');
      return at === -1 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}

const addsLayer = (entry: HistoryEntry): boolean => entry.empty_layer !== true;

/**
 * The new base's history, and what the image's has beyond the old base's. Where histories do not tell of every layer,
 * entries without words stand for them, so that their number still is that of the layers.
 */
export function rebasedHistory(old: ImageConfig, image: ImageConfig, fresh: ImageConfig): readonly HistoryEntry[] {
  const below = historyFor(fresh, fresh.rootfs.diff_ids.length);
  const own = image.rootfs.diff_ids.length - old.rootfs.diff_ids.length;
  const rest = (image.history ?? []).slice(old.history?.length ?? 0);
  if (rest.filter(addsLayer).length === own) return [...below, ...rest];
  return [...below, ...Array.from({ length: own }, () => ({ comment: 'rebased layer' }))];
}

function historyFor(config: ImageConfig, layers: number): readonly HistoryEntry[] {
  const told = config.history ?? [];
  const missing = layers - told.filter(addsLayer).length;
  return missing <= 0 ? told : [...told, ...Array.from({ length: missing }, () => ({}))];
}
