/**
 * Every command as plain data: the one source of parsing, help and completion. Bodies are loaded when they run, so this
 * file costs no engine. To add a command: a row here and a file in `commands/`.
 */

import { CACHE_COMMANDS } from './cache-commands.ts';
import type { Command } from './command.ts';
import { MANY, NO_CONTAINER, none, refuse, row, TOO_MANY, words } from './command-row.ts';
import { BUILD_FLAGS, CHECK_FLAGS } from './flags/build-flags.ts';
import { ADD_FLAGS, COMMIT_FLAGS, CONFIG_FLAGS, COPY_FLAGS, FROM_FLAGS, RUN_FLAGS } from './flags/container-flags.ts';
import {
  CONTAINERS_FLAGS,
  DIFF_FLAGS,
  HISTORY_FLAGS,
  IMAGES_FLAGS,
  INSPECT_FLAGS,
  LOGIN_FLAGS,
  LOGOUT_FLAGS,
  PULL_COMMAND_FLAGS,
  PUSH_FLAGS,
  REBASE_FLAGS,
} from './flags/store-flags.ts';
import { IMAGE_COMMANDS } from './image-commands.ts';
import { MANIFEST_COMMANDS } from './manifest-commands.ts';
import { option } from './option.ts';
import { SOURCE_COMMANDS } from './source-commands.ts';
import { SYSTEM_COMMANDS } from './system-commands.ts';

export const COMMANDS: readonly Command[] = [
  row({
    name: 'build',
    aliases: ['bud', 'build-using-dockerfile'],
    summary: 'Build an image from a Containerfile or Dockerfile',
    usage: '[CONTEXT]',
    description:
      'Builds an image from the instructions of a Containerfile. CONTEXT is a directory, a Containerfile, a URL, a git ' +
      'repository or - for standard input; without it the current directory is used.',
    positionals: { ...words(0, 1), complete: 'directory' },
    options: BUILD_FLAGS,
    examples: ['build -t app .', 'build --layers --target test .', 'build -f Containerfile.debug -t app:debug .'],
    load: async () => (await import('./commands/build.ts')).build,
  }),
  row({
    name: 'check',
    summary: 'Find mistakes in a Containerfile without building it',
    usage: '[CONTEXT]',
    description:
      'Tells what a build would refuse, and what the lint rules find. CONTEXT is as for build. Nothing is pulled or ' +
      'run. The exit code is 1 when there is something to tell.',
    positionals: { ...words(0, 1), complete: 'directory' },
    interspersed: true,
    options: CHECK_FLAGS,
    examples: ['check .', 'check -f Containerfile --rules strict', 'check --format sarif . > check.sarif'],
    load: async () => (await import('./commands/check.ts')).check,
  }),
  row({
    name: 'why',
    summary: 'Say why the last build ran the steps it ran',
    usage: '[STEP]',
    description:
      'Tells of every step of the last build of a context whether it came from the cache, and of the others what was ' +
      'different. STEP is a number, STAGE.NUMBER, or words of its line.',
    positionals: words(0, 1, undefined, TOO_MANY),
    interspersed: true,
    options: [
      option('--context str PLACE', 'the context of the build; default the working directory', {
        complete: 'directory',
      }),
      option('-f,--file str FILE', 'its Containerfile, where several were built', { complete: 'file' }),
      option('--format str FORMAT', 'text or json', { choices: ['text', 'json'], default: 'text' }),
    ],
    examples: ['why', "why 'npm ci'", 'why --format json build.3'],
    load: async () => (await import('./commands/why.ts')).why,
  }),
  row({
    name: 'from',
    summary: 'Make a working container from an image',
    usage: 'IMAGE',
    description: 'Makes a working container from an image, or an empty one from "scratch", and prints its name.',
    positionals: {
      ...refuse(1, 1, 'an image name (or "scratch") must be specified', TOO_MANY),
      complete: 'image',
    },
    options: FROM_FLAGS,
    examples: ['from alpine', 'from --name work scratch', 'from oci:./layout:latest'],
    load: async () => (await import('./commands/from.ts')).from,
  }),
  row({
    name: 'run',
    summary: 'Run a command in a working container',
    usage: 'CONTAINER [--] COMMAND [ARG…]',
    description: 'Runs a command in a working container. All words after CONTAINER belong to the command.',
    positionals: { ...words(1, MANY, NO_CONTAINER), complete: 'container' },
    options: RUN_FLAGS,
    examples: ['run work -- apk add git', 'run -t work sh', 'run -v ./src:/src:ro work make -C /src'],
    load: async () => (await import('./commands/run.ts')).run,
  }),
  row({
    name: 'copy',
    summary: 'Copy files into a working container',
    usage: 'CONTAINER SRC… [DEST]',
    description:
      'Copies files and directories into a working container and prints the digest of what was copied. DEST is a ' +
      'path inside; without it, or when it is relative, the working directory of the container counts.',
    positionals: { ...refuse(1, MANY), complete: 'container' },
    options: COPY_FLAGS,
    examples: ['copy work app.js /app/', 'copy --chown 1000:1000 work dist /srv', 'copy --from alpine work /bin/sh /'],
    load: async () => (await import('./commands/copy.ts')).copy,
  }),
  row({
    name: 'add',
    summary: 'Add files, URLs and unpacked archives to a working container',
    usage: 'CONTAINER SRC… [DEST]',
    positionals: { ...refuse(1, MANY), complete: 'container' },
    options: ADD_FLAGS,
    examples: ['add work rootfs.tar.gz /', 'add work https://example.com/tool /usr/bin/'],
    load: async () => (await import('./commands/copy.ts')).add,
  }),
  row({
    name: 'config',
    summary: 'Change what the image of a working container will say',
    usage: 'CONTAINER',
    positionals: { ...refuse(1, 1, NO_CONTAINER, TOO_MANY), complete: 'container' },
    options: CONFIG_FLAGS,
    examples: ['config --cmd /app work', 'config --env A=1 --label version=2 work', 'config --port 8080/tcp work'],
    load: async () => (await import('./commands/config.ts')).config,
  }),
  row({
    name: 'commit',
    summary: 'Write an image from a working container',
    usage: 'CONTAINER [IMAGE]',
    description:
      'Writes an image of a working container and prints its id. Without IMAGE it has no name; an IMAGE that begins ' +
      'with a transport, such as docker:// or oci-archive:, is sent there.',
    positionals: { ...refuse(1, 2, NO_CONTAINER, TOO_MANY), complete: 'container' },
    options: COMMIT_FLAGS,
    examples: ['commit work app', 'commit --rm --squash work app:1', 'commit work oci-archive:app.tar'],
    load: async () => (await import('./commands/commit.ts')).commit,
  }),
  row({
    name: 'mount',
    summary: 'Mount the root file system of working containers',
    usage: '[CONTAINER…]',
    description: 'Mounts working containers and prints where; without arguments lists what is mounted.',
    positionals: { ...refuse(0, MANY), complete: 'container' },
    options: [
      option('--json bool', 'print JSON'),
      option('--notruncate bool', 'no effect', { hidden: true, tier: 'P2' }),
    ],
    examples: ['mount work', 'mount --json'],
    load: async () => (await import('./commands/mount.ts')).mount,
  }),
  row({
    name: 'umount',
    aliases: ['unmount'],
    summary: 'Unmount working containers',
    usage: 'CONTAINER…',
    positionals: { ...refuse(0, MANY), complete: 'container' },
    options: [option('-a,--all bool', 'every mounted container')],
    examples: ['umount work', 'umount --all'],
    load: async () => (await import('./commands/mount.ts')).umount,
  }),
  row({
    name: 'containers',
    aliases: ['list', 'ls', 'ps'],
    summary: 'List working containers',
    usage: '',
    positionals: none('containers'),
    interspersed: true,
    options: CONTAINERS_FLAGS,
    examples: ['containers', 'containers --json', "containers --format '{{.ContainerName}}'"],
    load: async () => (await import('./commands/containers.ts')).containers,
  }),
  row({
    name: 'rm',
    aliases: ['delete'],
    summary: 'Remove working containers',
    usage: 'CONTAINER…',
    positionals: { ...refuse(0, MANY), complete: 'container' },
    options: [option('-a,--all bool', 'every working container')],
    examples: ['rm work', 'rm --all'],
    load: async () => (await import('./commands/rm.ts')).rm,
  }),
  row({
    name: 'rename',
    summary: 'Rename a working container',
    usage: 'CONTAINER NEWNAME',
    positionals: {
      ...words(2, 2, 'accepts 2 arg(s): a container and its new name'),
      many: 'accepts 2 arg(s): a container and its new name',
      complete: 'container',
    },
    interspersed: true,
    examples: ['rename work release'],
    load: async () => (await import('./commands/rename.ts')).rename,
  }),
  row({
    name: 'images',
    summary: 'List images',
    usage: '[IMAGE]',
    positionals: { ...refuse(0, 1, undefined, "'slipway images' requires at most 1 argument"), complete: 'image' },
    options: IMAGES_FLAGS,
    examples: ['images', 'images --filter dangling=true -q', "images --format '{{.ID}} {{.Name}}:{{.Tag}}'"],
    load: async () => (await import('./commands/images.ts')).images,
  }),
  row({
    name: 'inspect',
    summary: 'Show the configuration of a container or image',
    usage: 'CONTAINER|IMAGE',
    positionals: {
      ...refuse(1, 1, 'container or image name must be specified', TOO_MANY),
      complete: 'container',
    },
    options: INSPECT_FLAGS,
    examples: ['inspect work', "inspect -t image -f '{{.OCIv1.Config.Cmd}}' alpine", 'inspect --layers app'],
    load: async () => (await import('./commands/inspect.ts')).inspect,
  }),
  row({
    name: 'history',
    summary: 'Show how an image came to be',
    usage: 'IMAGE',
    description:
      'Prints a line for every step, the newest first. IMAGE is one of the store, or with a transport (docker://…) one ' +
      'elsewhere, which is not pulled.',
    positionals: { ...refuse(1, 1, 'an image must be named', TOO_MANY), complete: 'image' },
    interspersed: true,
    options: HISTORY_FLAGS,
    examples: ['history app', "history --format '{{.Size}} {{.CreatedBy}}' app", 'history docker://debian:12'],
    load: async () => (await import('./commands/history.ts')).history,
  }),
  row({
    name: 'diff',
    summary: 'Show the files in which images or containers differ',
    usage: 'BEFORE [AFTER]',
    description:
      'Prints a line for every file: A for added, C for changed, D for deleted. Names are those of working containers ' +
      'or images. With one name a container is compared with its image, and an image with the layers below its last.',
    positionals: { ...refuse(1, 2, 'an image or container must be named', TOO_MANY), complete: 'container' },
    interspersed: true,
    options: DIFF_FLAGS,
    examples: ['diff work', 'diff --size app:1 app:2', 'diff --json app'],
    load: async () => (await import('./commands/diff.ts')).diff,
  }),
  row({
    name: 'rebase',
    summary: 'Put an image onto another base',
    usage: 'IMAGE',
    description:
      'Exchanges the layers an image has from its base for those of another one, and prints the id of the result. ' +
      'Nothing is built. What the image set itself stays, what it had from its base comes from the new one.',
    positionals: { ...refuse(1, 1, 'an image must be named', TOO_MANY), complete: 'image' },
    interspersed: true,
    options: REBASE_FLAGS,
    examples: ['rebase --onto debian:12 -t app:2 app', 'rebase --old-base debian:12.1 --onto debian:12.2 app'],
    load: async () => (await import('./commands/rebase.ts')).rebase,
  }),
  row({
    name: 'tag',
    summary: 'Give an image further names',
    usage: 'IMAGE NEWNAME…',
    positionals: { ...words(2, MANY), complete: 'image' },
    interspersed: true,
    examples: ['tag app app:1.0 registry.example.com/app:1.0'],
    load: async () => (await import('./commands/tag.ts')).tag,
  }),
  row({
    name: 'rmi',
    summary: 'Remove images',
    usage: 'IMAGE…',
    positionals: { ...refuse(0, MANY), complete: 'image' },
    options: [
      option('-a,--all bool', 'every image'),
      option('-f,--force bool', 'images with several names or containers too'),
      option('-p,--prune bool', 'every dangling image'),
    ],
    examples: ['rmi app:old', 'rmi --prune', 'rmi --all --force'],
    load: async () => (await import('./commands/rmi.ts')).rmi,
  }),
  row({
    name: 'prune',
    summary: 'Remove dangling images, with --all every unused one',
    usage: '',
    positionals: none('prune'),
    options: [
      option('-a,--all bool', 'every image no container uses'),
      option('-f,--force bool', 'images that containers use too', { tier: 'P1' }),
    ],
    examples: ['prune', 'prune --all'],
    load: async () => (await import('./commands/rmi.ts')).prune,
  }),
  row({
    name: 'pull',
    summary: 'Copy an image into the store',
    usage: 'IMAGE',
    description:
      'Copies an image into the store and prints its id. IMAGE is a name in a registry, or begins with a transport: ' +
      'docker://, oci:DIR[:NAME], oci-archive:FILE, docker-archive:FILE[:NAME], dir:DIR, docker-daemon:NAME or ' +
      'containers-storage:NAME.',
    positionals: { ...refuse(1, 1, 'an image name must be specified', TOO_MANY), complete: 'image' },
    options: PULL_COMMAND_FLAGS,
    examples: ['pull alpine', 'pull --platform linux/arm64 alpine', 'pull docker-archive:app.tar'],
    load: async () => (await import('./commands/pull.ts')).pull,
  }),
  row({
    name: 'push',
    summary: 'Copy an image out of the store',
    usage: 'IMAGE [DEST]',
    description:
      'Copies an image, or of a list the image for this machine, out of the store. DEST is a name in a registry, or ' +
      'begins with a transport: docker://, oci:DIR[:NAME], oci-archive:FILE, docker-archive:FILE[:NAME], dir:DIR, ' +
      "docker-daemon:NAME or containers-storage:NAME. Without it the image's own name says where to.",
    positionals: { ...refuse(1, 2, 'at least a source image ID must be specified', TOO_MANY), complete: 'image' },
    options: PUSH_FLAGS,
    examples: ['push app registry.example.com/team/app', 'push app oci-archive:app.tar'],
    load: async () => (await import('./commands/push.ts')).push,
  }),
  ...MANIFEST_COMMANDS,
  ...CACHE_COMMANDS,
  ...IMAGE_COMMANDS,
  ...SOURCE_COMMANDS,
  ...SYSTEM_COMMANDS,
  row({
    name: 'login',
    summary: 'Log in to a registry',
    usage: 'REGISTRY',
    positionals: words(1, 1, 'please specify a registry to login to', TOO_MANY),
    interspersed: true,
    options: LOGIN_FLAGS,
    examples: ['login registry.example.com', 'login -u me --password-stdin registry.example.com'],
    load: async () => (await import('./commands/login.ts')).login,
  }),
  row({
    name: 'logout',
    summary: 'Forget the credentials of a registry',
    usage: 'REGISTRY',
    positionals: words(0, 1, undefined, TOO_MANY),
    options: LOGOUT_FLAGS,
    examples: ['logout registry.example.com', 'logout --all'],
    load: async () => (await import('./commands/login.ts')).logout,
  }),
  row({
    name: 'unshare',
    summary: 'Run a command in the user namespace of rootless builds',
    usage: '[COMMAND [ARG…]]',
    positionals: words(0, MANY),
    options: [option('-m,--mount csv [VAR=]CONTAINER', 'mount a container and export its path')],
    examples: ['unshare', 'unshare cat /proc/self/uid_map', "unshare -m ROOT=work sh -c 'ls $ROOT'"],
    load: async () => (await import('./commands/unshare.ts')).unshare,
  }),
  row({
    name: 'info',
    summary: 'Show facts about host and store',
    usage: '',
    positionals: none('info'),
    interspersed: true,
    options: [
      option('-d,--debug bool', 'facts about the program too', { tier: 'P1' }),
      option('--format str TEMPLATE', 'Go template', { tier: 'P1' }),
    ],
    examples: ['info', "info --format '{{.store.GraphDriverName}}'"],
    load: async () => (await import('./commands/info.ts')).info,
  }),
  row({
    name: 'doctor',
    summary: 'Check what this host can do, and say how to get more',
    usage: '',
    positionals: none('doctor'),
    interspersed: true,
    options: [option('--json bool', 'print JSON')],
    examples: ['doctor'],
    load: async () => (await import('./commands/doctor.ts')).doctor,
  }),
  row({
    name: 'version',
    summary: 'Show the version',
    usage: '',
    positionals: none('version'),
    interspersed: true,
    options: [option('--json bool', 'print JSON')],
    examples: ['version --json'],
    load: async () => (await import('./commands/version.ts')).version,
  }),
  row({
    name: 'completion',
    summary: 'Print a completion script for a shell',
    usage: 'bash|zsh|fish',
    positionals: words(1, 1, 'a shell must be specified: bash, zsh or fish', TOO_MANY),
    interspersed: true,
    examples: ['completion bash > ~/.local/share/bash-completion/completions/slipway'],
    load: async () => (await import('./commands/completion.ts')).completion,
  }),
  row({
    name: 'help',
    summary: 'Show help for a command',
    usage: '[COMMAND]',
    positionals: words(0, 2),
    interspersed: true,
    examples: ['help build', 'help manifest push'],
    load: async () => (await import('./commands/help.ts')).help,
  }),
  row({
    name: '__complete',
    summary: 'Print what could come next on the command line',
    usage: 'WORD…',
    positionals: words(0, MANY),
    hidden: true,
    examples: [],
    load: async () => (await import('./commands/complete.ts')).complete,
  }),
];

/** Commands of Buildah that are refused by name, with the reason. */
export const REFUSED_COMMANDS: ReadonlyMap<string, string> = new Map([
  ['mkcw', 'images for confidential virtual machines are not made'],
  ['rpc', 'the library takes the place of a socket'],
  ['dumpbolt', 'nothing here is kept in a BoltDB file'],
]);

/** Words that stand before commands of their own, with what those are about. */
export const GROUPS: ReadonlyMap<string, string> = new Map([
  ['manifest', 'Make and push lists of images'],
  ['cache', 'List, carry and remove the caches of RUN mounts'],
  ['source', 'Make, fetch and push images of source code'],
  ['image', 'Copy, show and delete images where they are'],
  ['system', 'Measure, clean and check the store'],
]);

/** Finds a command by name or alias; `rest` is what follows it. Commands of a group have two words. */
export function findCommand(
  words: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } | undefined {
  const [first = '', second = ''] = words;
  const named = (name: string) => COMMANDS.find((known) => known.name === name || known.aliases.includes(name));
  const command = GROUPS.has(first) ? named(`${first} ${second}`) : named(first);
  return command === undefined ? undefined : { command, rest: words.slice(GROUPS.has(first) ? 2 : 1) };
}

/** Commands of a group, or those that stand alone. */
export function commandsOf(group: string | undefined): readonly Command[] {
  const isMember = ({ name }: Command) => (group === undefined ? !name.includes(' ') : name.startsWith(`${group} `));
  return COMMANDS.filter((command) => !command.hidden && isMember(command));
}

/** All words a person may type in the first place, or behind a group. */
export function commandNames(group?: string): readonly string[] {
  const names = commandsOf(group).flatMap((command) => [command.name, ...command.aliases]);
  return group === undefined ? [...names, ...GROUPS.keys()] : names.map((name) => name.slice(group.length + 1));
}
