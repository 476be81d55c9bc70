/** `images --filter`: keys with the same name widen the choice, different ones narrow it; all labels must match. */
import type { Builder, ImageSummary } from '../index.ts';
import { parseDuration } from './duration.ts';
import { UsageError } from './usage-error.ts';

type Test = (image: ImageSummary) => boolean;
type Places = { readonly builder: Pick<Builder, 'image'>; readonly now: number };

const FILTERS: Readonly<Record<string, (value: string, places: Places) => Test | Promise<Test>>> = {
  after: since,
  since,
  before: async (value, { builder }) => {
    const { created } = await builder.image(value);
    return (image) => image.created < created;
  },
  containers: (value) => {
    const wanted = truth('containers', value);
    return (image) => image.containers.length > 0 === wanted;
  },
  dangling: (value) => {
    const wanted = truth('dangling', value);
    return (image) => image.dangling === wanted;
  },
  digest: (value) => (image) => image.digest.startsWith(value) || image.digest.startsWith(`sha256:${value}`),
  id: (value) => (image) => image.id.startsWith(value.replace(/^sha256:/, '')),
  intermediate: (value) => {
    const wanted = truth('intermediate', value);
    return (image) => image.intermediate === wanted;
  },
  label: (value) => {
    const [key, text] = cutAt(value);
    return (image) => Object.hasOwn(image.labels, key) && (text === undefined || image.labels[key] === text);
  },
  manifest: (value) => {
    const wanted = truth('manifest', value);
    return (image) => image.isIndex === wanted;
  },
  readonly: (value) => {
    const wanted = truth('readonly', value);
    return (image) => image.readOnly === wanted;
  },
  reference: (value) => {
    const pattern = globPattern(value);
    return (image) => image.names.some((name) => spellings(name).some((spelling) => pattern.test(spelling)));
  },
  until: (value, { now }) => {
    const limit = untilTime(value, now);
    return (image) => Date.parse(image.created) < limit;
  },
};

/** @throws UsageError for unknown keys and malformed values; `image.not-known` for images to compare with */
export async function filterImages(
  images: readonly ImageSummary[],
  filters: readonly string[],
  builder: Pick<Builder, 'image'>,
  now: number,
): Promise<readonly ImageSummary[]> {
  const groups = new Map<string, Test[]>();
  for (const filter of filters) {
    const [key, value] = cutAt(filter);
    if (value === undefined)
      throw new UsageError(`invalid image filter "${filter}": must be in the format "filter=value"`);
    if (!Object.hasOwn(FILTERS, key)) {
      throw new UsageError(`unsupported image filter "${key}"`, {
        near: { word: key, candidates: Object.keys(FILTERS), prefix: '' },
      });
    }
    // Labels each make a group of their own.
    const group = key === 'label' ? filter : key;
    groups.set(group, [...(groups.get(group) ?? []), await FILTERS[key]!(value, { builder, now })]);
  }
  return images.filter((image) => [...groups.values()].every((tests) => tests.some((test) => test(image))));
}

async function since(value: string, { builder }: Places): Promise<Test> {
  const { created } = await builder.image(value);
  return (image) => image.created > created;
}

function cutAt(text: string): [string, string | undefined] {
  const equals = text.indexOf('=');
  return equals === -1 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}

function truth(key: string, value: string): boolean {
  if (['1', 't', 'true', 'True', 'TRUE'].includes(value)) return true;
  if (['0', 'f', 'false', 'False', 'FALSE'].includes(value)) return false;
  throw new UsageError(`non-boolean value "${value}" for ${key} filter`);
}

/** A name in full, without tag, without registry, and its last part alone. */
function spellings(name: string): readonly string[] {
  const untagged = name.replace(/(:[^/:@]+)?(@.*)?$/, '');
  const parts = [name, untagged];
  return parts.flatMap((part) => {
    const segments = part.split('/');
    return segments.map((_, i) => segments.slice(i).join('/'));
  });
}

/** `*` and `?` stay within a path segment, as in Go's path.Match. */
function globPattern(glob: string): RegExp {
  const source = glob.replace(/\[[^\]]*\]|[\s\S]/g, (part) => {
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.length > 1) return part.replace(/^\[\^/, '[^').replaceAll('\\', '\\\\');
    return part.replace(/[\\^$.|+()[\]{}]/g, '\\$&');
  });
  try {
    return new RegExp(`^${source}$`);
  } catch {
    throw new UsageError(`malformed pattern "${glob}" for reference filter`);
  }
}

/** A moment, in seconds since the epoch or RFC 3339, or an age such as `24h`. */
export function untilTime(value: string, now: number): number {
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  const moment = /^\d{4}-/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(moment) ? now - parseDuration(value, 'the until filter') / 1e6 : moment;
}
