/** The commands of `system`: the store as a whole. */
import type { Command } from './command.ts';
import { none, row } from './command-row.ts';
import { option } from './option.ts';

export const SYSTEM_COMMANDS: readonly Command[] = [
  row({
    name: 'system df',
    summary: 'Show what the store holds, and what could go',
    usage: '',
    positionals: none('system df'),
    interspersed: true,
    options: [
      option('-v,--verbose bool', 'every image, container and cache'),
      option('--json bool', 'print JSON'),
      option('--format str TEMPLATE', 'Go template for each line'),
    ],
    examples: ['system df', 'system df -v', 'system df --json'],
    load: async () => (await import('./commands/system.ts')).df,
  }),
  row({
    name: 'system prune',
    summary: 'Remove what nobody needs',
    usage: '',
    description:
      'Removes images without names that no container uses, remembered build steps and downloads. With --all every ' +
      'image no container uses, and the caches of RUN mounts. Working containers and what they stand on stay. Asks before ' +
      'it does so; without a terminal --force has to be said.',
    positionals: none('system prune'),
    interspersed: true,
    options: [
      option('-a,--all bool', 'every unused image, and the caches of RUN mounts'),
      option('--filter csv until=TIME', 'only what is older: a moment, or an age such as 24h'),
      option('-f,--force bool', 'do not ask'),
      option('--json bool', 'print JSON'),
    ],
    examples: ['system prune', 'system prune --force --all --filter until=168h'],
    load: async () => (await import('./commands/system.ts')).prune,
  }),
  row({
    name: 'system check',
    summary: 'Check whether the store is what it says it is',
    usage: '',
    description:
      'Follows every record of the store to its content, and says what is missing or damaged. The exit code is 1 when ' +
      'damage is left. With --repair what can be mended is mended, and nothing that is sound is removed.',
    positionals: none('system check'),
    interspersed: true,
    options: [
      option('--read-data bool', 'read all content and compute its digests'),
      option('--repair bool', 'mend what can be mended'),
      option('-q,--quiet bool', 'only what is damaged'),
      option('--json bool', 'print JSON'),
    ],
    examples: ['system check', 'system check --read-data', 'system check --read-data --repair'],
    load: async () => (await import('./commands/system-check.ts')).check,
  }),
];
