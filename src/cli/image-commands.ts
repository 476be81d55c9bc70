/** The commands of `image`: images where they are, without the store. */
import type { Command } from './command.ts';
import { refuse, row, TOO_MANY, words } from './command-row.ts';
import { IMAGE_COPY_FLAGS, IMAGE_INSPECT_FLAGS, IMAGE_PLACE_FLAGS } from './flags/image-command-flags.ts';

const NO_IMAGE = 'an image must be named, with its transport';

export const IMAGE_COMMANDS: readonly Command[] = [
  row({
    name: 'image copy',
    summary: 'Copy an image from one place to another',
    usage: 'SOURCE DESTINATION',
    description:
      'Copies an image between two transports, blob by blob, without the store in between, and prints the digest it ' +
      'has at the destination.',
    positionals: refuse(2, 2, 'a source and a destination must be specified, each with its transport', TOO_MANY),
    interspersed: true,
    options: IMAGE_COPY_FLAGS,
    examples: [
      'image copy docker://alpine oci:layout:alpine',
      'image copy --all --preserve-digests docker://a.example/app oci:app',
      'image copy --platform linux/arm64 docker://alpine dir:alpine',
    ],
    load: async () => (await import('./commands/image.ts')).copy,
  }),
  row({
    name: 'image inspect',
    summary: 'Show what an image is, without fetching its layers',
    usage: 'IMAGE',
    positionals: refuse(1, 1, NO_IMAGE, TOO_MANY),
    interspersed: true,
    options: IMAGE_INSPECT_FLAGS,
    examples: [
      'image inspect docker://alpine',
      "image inspect -f '{{.Digest}}' --no-tags docker://alpine",
      'image inspect --raw oci:layout:app',
    ],
    load: async () => (await import('./commands/image.ts')).inspect,
  }),
  row({
    name: 'image delete',
    summary: 'Delete an image of a registry',
    usage: 'IMAGE',
    description: 'Deletes an image of a registry by its digest, and with it every tag it has; prints the digest.',
    positionals: words(1, 1, NO_IMAGE, TOO_MANY),
    interspersed: true,
    options: IMAGE_PLACE_FLAGS,
    examples: ['image delete docker://registry.example.com/app:old'],
    load: async () => (await import('./commands/image.ts')).deleteOne,
  }),
  row({
    name: 'image list-tags',
    summary: 'List the tags of a repository, or the names in an archive',
    usage: 'REPOSITORY|ARCHIVE',
    positionals: words(1, 1, NO_IMAGE, TOO_MANY),
    interspersed: true,
    options: IMAGE_PLACE_FLAGS,
    examples: ['image list-tags docker://alpine', 'image list-tags docker-archive:images.tar'],
    load: async () => (await import('./commands/image.ts')).listTags,
  }),
];
