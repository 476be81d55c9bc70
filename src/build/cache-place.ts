/** The words of `--cache-from` and `--cache-to`: Buildah's repositories and BuildKit's lists of attributes. */
import { isAbsolute, resolve } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { parseReference } from '../spec/reference.ts';

export type CachePlace =
  /** A repository: each step is an image of its own, its key the tag. */
  | { readonly type: 'repository'; readonly name: string }
  /** One image that tells of many steps: in a registry, or in an OCI layout. */
  | { readonly type: 'image'; readonly transport: 'docker' | 'oci'; readonly name: string }
  /** The image that is built tells of its own steps. */
  | { readonly type: 'inline' };

export interface CacheDestination {
  readonly place: CachePlace;
  /** `max`: the steps of all stages; `min`: those of the image alone. */
  readonly mode: 'min' | 'max';
  /** A failure is a warning. */
  readonly ignoresErrors: boolean;
}

const TAG = 'slipway-cache';

/** @throws `usage.invalid` */
export function parseCacheFrom(text: string, cwd: string): CachePlace {
  const fields = fieldsOf(text, '--cache-from');
  if (fields === undefined) return placeOf(text, '--cache-from');
  switch (fields.take('type')) {
    case 'registry':
      return fields.end(placeOf(fields.need('ref'), '--cache-from'));
    case 'local':
      return fields.end(layoutOf(fields.need('src'), fields.take('tag'), cwd));
    default:
      throw fields.bad('type must be registry or local; an image with inline cache is named as it is');
  }
}

/** @throws `usage.invalid` */
export function parseCacheTo(text: string, cwd: string): CacheDestination {
  const fields = fieldsOf(text, '--cache-to');
  if (fields === undefined) {
    const place = placeOf(text, '--cache-to');
    if (place.type === 'repository') return { place, mode: 'max', ignoresErrors: false };
    throw new BuilderError('usage.invalid', `--cache-to ${text}: a repository is named without tag or digest`, {
      hint: `for one image that holds all of it write type=registry,ref=${text}`,
    });
  }
  const type = fields.take('type');
  const mode = fields.take('mode') ?? 'min';
  if (mode !== 'min' && mode !== 'max') throw fields.bad('mode must be min or max');
  const ignoresErrors = fields.take('ignore-error') === 'true';
  switch (type) {
    case 'registry': {
      const place = placeOf(fields.need('ref'), '--cache-to');
      return fields.end({ place, mode, ignoresErrors });
    }
    case 'local':
      return fields.end({ place: layoutOf(fields.need('dest'), fields.take('tag'), cwd), mode, ignoresErrors });
    case 'inline':
      if (mode === 'max') throw fields.bad('an image can only tell of its own steps: mode is min');
      return fields.end({ place: { type: 'inline' }, mode, ignoresErrors });
    default:
      throw fields.bad('type must be registry, local or inline');
  }
}

/** For people. */
export function placeName(place: CachePlace): string {
  if (place.type === 'inline') return 'the image';
  return place.type === 'image' && place.transport === 'oci' ? `oci:${place.name}` : place.name;
}

function placeOf(text: string, flag: string): CachePlace {
  let reference: ReturnType<typeof parseReference>;
  try {
    reference = parseReference(text);
  } catch (cause) {
    throw new BuilderError('usage.invalid', `${flag} ${text}: it names no repository`, { cause });
  }
  const isWhole = reference.tag === undefined && reference.digest === undefined;
  return isWhole ? { type: 'repository', name: text } : { type: 'image', transport: 'docker', name: text };
}

function layoutOf(path: string, tag: string | undefined, cwd: string): CachePlace {
  const dir = isAbsolute(path) ? path : resolve(cwd, path);
  if (dir.includes(':')) {
    throw new BuilderError('usage.invalid', `the directory ${dir} cannot hold a cache: its path has a colon`);
  }
  return { type: 'image', transport: 'oci', name: `${dir}:${tag ?? TAG}` };
}

interface Fields {
  take(name: string): string | undefined;
  need(name: string): string;
  bad(why: string): BuilderError;
  /** Refuses what was not taken. */
  end<T>(value: T): T;
}

/** undefined for words that are no list of attributes. */
function fieldsOf(text: string, flag: string): Fields | undefined {
  if (!/(^|,)\s*type\s*=/.test(text)) return undefined;
  const values = new Map<string, string>();
  for (const field of text.split(',')) {
    const at = field.indexOf('=');
    values.set(field.slice(0, at === -1 ? undefined : at).trim(), at === -1 ? '' : field.slice(at + 1));
  }
  const bad = (why: string): BuilderError => new BuilderError('usage.invalid', `${flag} ${text}: ${why}`);
  const take = (name: string): string | undefined => {
    const value = values.get(name);
    values.delete(name);
    return value;
  };
  return {
    take,
    bad,
    need: (name) => {
      const value = take(name);
      if (value === undefined || value === '') throw bad(`it needs ${name}=…`);
      return value;
    },
    end: (value) => {
      const [unknown] = values.keys();
      if (unknown !== undefined) throw bad(`${unknown} is not understood`);
      return value;
    },
  };
}
