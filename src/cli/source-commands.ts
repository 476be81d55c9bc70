/** The commands of `source`: images of source code. */
import type { Command } from './command.ts';
import { row, TOO_MANY, words } from './command-row.ts';
import { REGISTRY_FLAGS, RETRY_FLAGS } from './flags/registry-flags.ts';
import { option } from './option.ts';

const QUIET = option('-q,--quiet bool', 'no progress', { tier: 'P2' });

export const SOURCE_COMMANDS: readonly Command[] = [
  row({
    name: 'source create',
    summary: 'Make an empty source image',
    usage: 'DIRECTORY',
    description: 'Makes an OCI layout for sources: an artifact of which every layer is an archive.',
    positionals: { ...words(1, 1, 'a directory to make must be specified', TOO_MANY), complete: 'directory' },
    interspersed: true,
    options: [
      option('--author str NAME', 'who made it', { tier: 'P2' }),
      option('--time-stamp bool', 'say when it was made', { tier: 'P2', default: 'true' }),
    ],
    examples: ['source create ./app-source'],
    load: async () => (await import('./commands/source.ts')).create,
  }),
  row({
    name: 'source add',
    summary: 'Add a file or directory to a source image',
    usage: 'DIRECTORY SOURCE',
    positionals: { ...words(2, 2, 'a source image and what to add must be specified', TOO_MANY), complete: 'file' },
    interspersed: true,
    options: [option('--annotation strs K=V', 'annotation of what is added', { tier: 'P2' })],
    examples: ['source add ./app-source app-1.0.tar.gz', 'source add --annotation license=MIT ./app-source ./src'],
    load: async () => (await import('./commands/source.ts')).add,
  }),
  row({
    name: 'source pull',
    summary: 'Fetch a source image into a new directory',
    usage: 'IMAGE DIRECTORY',
    positionals: { ...words(2, 2, 'an image and a directory must be specified', TOO_MANY), complete: 'directory' },
    interspersed: true,
    options: [QUIET, ...REGISTRY_FLAGS, ...RETRY_FLAGS],
    examples: ['source pull registry.example.com/app-source:1.0 ./app-source'],
    load: async () => (await import('./commands/source.ts')).pull,
  }),
  row({
    name: 'source push',
    summary: 'Push a source image to a registry',
    usage: 'DIRECTORY IMAGE',
    positionals: { ...words(2, 2, 'a directory and an image must be specified', TOO_MANY), complete: 'directory' },
    interspersed: true,
    options: [
      QUIET,
      option('--digestfile str FILE', 'write the digest of the manifest to a file', { tier: 'P2', complete: 'file' }),
      ...REGISTRY_FLAGS,
      ...RETRY_FLAGS,
    ],
    examples: ['source push ./app-source registry.example.com/app-source:1.0'],
    load: async () => (await import('./commands/source.ts')).push,
  }),
];
