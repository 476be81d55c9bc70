/** Flags of `build` that speak of remembered steps. */
import type { BuildOptions } from '../index.ts';
import type { CommandContext } from './command.ts';
import { parseDuration } from './duration.ts';
import { UsageError } from './usage-error.ts';

/** They switch the memory on, unless `--layers=false` was typed. */
const CACHE_FLAGS = ['explain', 'dry-run', 'cache-ttl', 'cache-from', 'cache-to'] as const;
const EXPLAIN_FORMATS = ['text', 'json', 'none'];

export function cacheOptions({ flags }: CommandContext): Partial<BuildOptions> {
  const layers = flags.bool('layers');
  const asking = CACHE_FLAGS.find((name) => flags.given(name));
  if (layers === false && flags.given('layers') && asking !== undefined) {
    throw new UsageError(`--${asking} needs --layers: without it no step is remembered`);
  }
  const isOn = asking === undefined ? layers : true;
  const from = flags.strings('cache-from');
  const to = flags.strings('cache-to');
  const ttl = flags.string('cache-ttl');
  const explain = flags.string('explain') ?? 'none';
  if (!EXPLAIN_FORMATS.includes(explain)) {
    throw new UsageError(`unknown format "${explain}" for --explain`, {
      near: { word: explain, candidates: EXPLAIN_FORMATS, prefix: '--explain=' },
    });
  }
  return {
    ...(isOn === undefined ? {} : { layers: isOn }),
    ...(from === undefined ? {} : { cacheFrom: from }),
    ...(to === undefined ? {} : { cacheTo: to }),
    ...(ttl === undefined ? {} : { cacheTtlMs: ttlOf(ttl) }),
    ...(explain === 'none' ? {} : { explain: true }),
  };
}

/** Milliseconds. */
function ttlOf(text: string): number {
  const milliseconds = parseDuration(text, '--cache-ttl') / 1e6;
  if (milliseconds < 0) throw new UsageError(`--cache-ttl must not be negative: ${text}`);
  return milliseconds;
}
