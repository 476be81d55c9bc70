/** The commands of `cache`. */
import type { Command } from './command.ts';
import { refuse, row, TOO_MANY, words } from './command-row.ts';
import { option } from './option.ts';

const NO_CACHE = 'the id of a cache must be specified';
const FORMAT = option('--format str FORMAT', 'json, or a Go template');

export const CACHE_COMMANDS: readonly Command[] = [
  row({
    name: 'cache ls',
    aliases: ['cache list'],
    summary: 'List the caches of RUN --mount=type=cache',
    usage: '',
    description: 'Lists the caches of RUN --mount=type=cache, or with --steps what builds with --layers remember.',
    positionals: words(0, 0, undefined, TOO_MANY),
    interspersed: true,
    options: [
      FORMAT,
      option('--steps bool', 'list remembered build steps instead'),
      option('--noheading bool', 'leave out the headings'),
    ],
    examples: ['cache ls', "cache ls --format '{{.ID}} {{.Size}}'", 'cache ls --steps'],
    load: async () => (await import('./commands/cache.ts')).list,
  }),
  row({
    name: 'cache size',
    aliases: ['cache du'],
    summary: 'Say how much room caches take',
    usage: '',
    positionals: words(0, 0, undefined, TOO_MANY),
    interspersed: true,
    options: [option('--bytes bool', 'print the number of bytes alone')],
    examples: ['cache size', 'cache du --bytes'],
    load: async () => (await import('./commands/cache.ts')).size,
  }),
  row({
    name: 'cache rm',
    summary: 'Remove caches',
    usage: 'ID…',
    positionals: refuse(1, Number.POSITIVE_INFINITY, NO_CACHE),
    examples: ['cache rm npm', 'cache rm /root/.cache/go-build'],
    load: async () => (await import('./commands/cache.ts')).remove,
  }),
  row({
    name: 'cache prune',
    summary: 'Remove caches that were not used lately',
    usage: '',
    description:
      'Removes the caches that no build used for 30 days, or for as long as the filter says; with --keep-storage only ' +
      'until the rest fits. What a build is using now is left alone.',
    positionals: words(0, 0, undefined, TOO_MANY),
    interspersed: true,
    options: [
      option('-a,--all bool', 'all that are not in use'),
      option('--filter strs until=TIME', 'unused since a time, or for a duration like 24h'),
      option('--keep-storage str SIZE', 'remove only until caches take no more than this, the longest unused first'),
    ],
    examples: ['cache prune', 'cache prune --filter until=24h', 'cache prune --all --keep-storage 2g'],
    load: async () => (await import('./commands/cache.ts')).prune,
  }),
  row({
    name: 'cache export',
    summary: 'Write the content of a cache as a tar',
    usage: 'ID FILE|-',
    positionals: words(2, 2, 'a cache and a file must be specified', TOO_MANY),
    examples: ['cache export npm npm.tar', 'cache export npm - | zstd > npm.tar.zst'],
    load: async () => (await import('./commands/cache.ts')).exportTar,
  }),
  row({
    name: 'cache import',
    summary: 'Fill a cache from a tar',
    usage: 'ID FILE|-',
    description:
      'Puts the content of a tar, compressed or not, in the place of what the cache held. A cache that does not exist ' +
      'is made.',
    positionals: words(2, 2, 'a cache and a file must be specified', TOO_MANY),
    options: [option('--namespace str NAME', 'BUILDKIT_CACHE_MOUNT_NS of the builds that will use it')],
    examples: ['cache import npm npm.tar', 'zstd -dc npm.tar.zst | slipway cache import npm -'],
    load: async () => (await import('./commands/cache.ts')).importTar,
  }),
];
