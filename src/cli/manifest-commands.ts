/** The commands of `manifest`. */
import type { Command } from './command.ts';
import { MANY, refuse, row, TOO_MANY, words } from './command-row.ts';
import {
  MANIFEST_ADD_FLAGS,
  MANIFEST_ANNOTATE_FLAGS,
  MANIFEST_CREATE_FLAGS,
  MANIFEST_INSPECT_FLAGS,
  MANIFEST_PUSH_FLAGS,
} from './flags/manifest-flags.ts';

const NO_LIST = 'at least a name must be specified for the list';

export const MANIFEST_COMMANDS: readonly Command[] = [
  row({
    name: 'manifest create',
    summary: 'Make a list of images',
    usage: 'LIST [IMAGE…]',
    description: 'Makes a list with the images given, which are fetched if need be, and prints its id.',
    positionals: { ...words(1, MANY, NO_LIST), complete: 'image' },
    interspersed: true,
    options: MANIFEST_CREATE_FLAGS,
    examples: ['manifest create app', 'manifest create app localhost/app:amd64 localhost/app:arm64'],
    load: async () => (await import('./commands/manifest.ts')).create,
  }),
  row({
    name: 'manifest add',
    summary: 'Put images into a list',
    usage: 'LIST IMAGE…',
    positionals: { ...words(2, MANY, 'at least a list and an image must be specified'), complete: 'image' },
    interspersed: true,
    options: MANIFEST_ADD_FLAGS,
    examples: ['manifest add app localhost/app:arm64', 'manifest add --all app docker://registry.example/base:1'],
    load: async () => (await import('./commands/manifest.ts')).add,
  }),
  row({
    name: 'manifest annotate',
    summary: 'Change what a list says of an image, or of itself',
    usage: 'LIST [DIGEST|IMAGE]',
    positionals: { ...words(1, 2, NO_LIST, TOO_MANY), complete: 'image' },
    interspersed: true,
    options: MANIFEST_ANNOTATE_FLAGS,
    examples: [
      'manifest annotate --arch arm64 app localhost/app:arm',
      'manifest annotate --index --annotation k=v app',
    ],
    load: async () => (await import('./commands/manifest.ts')).annotate,
  }),
  row({
    name: 'manifest remove',
    summary: 'Take an image out of a list',
    usage: 'LIST DIGEST',
    positionals: { ...refuse(2, 2, 'a list and a digest must be specified', TOO_MANY), complete: 'image' },
    examples: ['manifest remove app sha256:…'],
    load: async () => (await import('./commands/manifest.ts')).remove,
  }),
  row({
    name: 'manifest inspect',
    summary: 'Show a list',
    usage: 'LIST',
    description: 'Prints a list as JSON: one of the store, or one in a registry.',
    positionals: { ...words(1, 1, NO_LIST, TOO_MANY), complete: 'image' },
    interspersed: true,
    options: MANIFEST_INSPECT_FLAGS,
    examples: ['manifest inspect app'],
    load: async () => (await import('./commands/manifest.ts')).inspect,
  }),
  row({
    name: 'manifest exists',
    summary: 'Tell by the exit code whether there is a list',
    usage: 'LIST',
    description: 'Exits with 0 when there is a list of that name, with 1 when there is nothing, with 125 for an image.',
    positionals: { ...refuse(1, 1, NO_LIST, TOO_MANY), complete: 'image' },
    examples: ['manifest exists app'],
    load: async () => (await import('./commands/manifest.ts')).exists,
  }),
  row({
    name: 'manifest push',
    summary: 'Push a list with its images',
    usage: 'LIST [DESTINATION]',
    positionals: { ...words(1, 2, NO_LIST, TOO_MANY), complete: 'image' },
    interspersed: true,
    options: MANIFEST_PUSH_FLAGS,
    examples: ['manifest push app docker://registry.example/app:1'],
    load: async () => (await import('./commands/manifest.ts')).push,
  }),
  row({
    name: 'manifest rm',
    summary: 'Remove lists',
    usage: 'LIST…',
    positionals: { ...refuse(1, MANY, NO_LIST), complete: 'image' },
    examples: ['manifest rm app'],
    load: async () => (await import('./commands/manifest.ts')).rm,
  }),
];
