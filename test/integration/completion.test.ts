/** Completion tried in the shells themselves: what stands on the line after a tab. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { rootAccount } from '../support/account.ts';
import { firstReason, missingPrograms } from '../support/command.ts';
import { quote, Rig } from '../support/rig.ts';

const account = rootAccount();
const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** What is typed, and the words the program gets when it is sent off after a tab. */
const TYPED: readonly (readonly [string, string])[] = [
  ['slipway vers', 'version'],
  ['slipway manifest annot', 'manifest annotate'],
  ['slipway containers --notr', 'containers --notruncate'],
  ['slipway rm wor', 'rm work-one'],
  ['slipway rmi localhost/app:fi', 'rmi localhost/app:first'],
  ['slipway push registry.example.com:5000/te', 'push registry.example.com:5000/team/tool:v1'],
  ['slipway build --target ba', 'build --target base'],
  ['slipway build --target fin', 'build --target final'],
  ['slipway build --format=doc', 'build --format=docker'],
  ['slipway build -f ./Contain', 'build -f ./Containerfile'],
  ['slipway --log-level=deb', '--log-level=debug'],
];

describe('completion in the shells', { skip: firstReason(account === undefined && 'one account is enough') }, () => {
  let rig: Rig;

  before(async () => {
    rig = await Rig.open({ account: account!, driver: 'vfs' });
    const work = join(rig.folder, 'work');
    writeFileSync(
      join(work, 'Containerfile'),
      'FROM scratch AS base\nCOPY Containerfile /\nFROM base AS final\nENV A=b\n',
    );
    rig.run('build', '-q', '-t', 'app:first', '-t', 'registry.example.com:5000/team/tool:v1', '.');
    rig.run('from', '--name', 'work-one', 'scratch');
    // Completes against the rig's store; anything else only says what it was given.
    const bin = join(rig.folder, 'bin');
    mkdirSync(bin);
    const real = [rig.program, ...rig.storeFlags].map(quote).join(' ');
    writeFileSync(
      join(bin, 'slipway'),
      `#!/bin/sh\n[ "$1" = __complete ] && exec ${real} "$@"\nprintf 'given<%s>\\n' "$*"\n`,
    );
    chmodSync(join(bin, 'slipway'), 0o755);
    for (const shell of SHELLS) writeFileSync(join(rig.folder, shell), `${rig.run('completion', shell)}\n`);
  });
  after(() => rig?.[Symbol.asyncDispose]());

  /** The words that an interactive shell on a terminal of its own sends off. */
  async function sent(shell: 'bash' | 'zsh', line: string): Promise<string | undefined> {
    const script = join(rig.folder, shell);
    const start = shell === 'bash' ? `. ${script}\n` : `autoload -Uz compinit; compinit -u -D; . ${script}\n`;
    const command = shell === 'bash' ? 'bash --norc --noprofile -i' : 'zsh -f -i';
    const input = `sleep 0.3; printf %s ${quote(start)}; sleep 1; printf %s ${quote(`${line}\t`)}; sleep 3; printf '\\nexit\\n'`;
    const pipe = `(${input}) | script -qec ${quote(command)} /dev/null`;
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', pipe], {
      cwd: join(rig.folder, 'work'),
      env: { ...rig.env, PATH: `${join(rig.folder, 'bin')}:${rig.env['PATH']}`, TERM: 'dumb', PS1: '' },
      timeout: 60_000,
    });
    return [...stdout.matchAll(/given<(.*?) ?>\r?$/gm)].at(-1)?.[1];
  }

  for (const shell of ['bash', 'zsh'] as const) {
    describe(shell, { skip: firstReason(missingPrograms(shell, 'script')), concurrency: 6 }, () => {
      for (const [line, words] of TYPED) {
        it(line, async () => {
          assert.equal(await sent(shell, line), words);
        });
      }
    });
  }

  describe('fish', { skip: firstReason(missingPrograms('fish')) }, () => {
    for (const [line, words] of TYPED) {
      it(line, () => {
        const script = `source ${quote(join(rig.folder, 'fish'))}; complete -C ${quote(line)}`;
        const { stdout } = spawnSync('fish', ['--no-config', '-c', script], {
          cwd: join(rig.folder, 'work'),
          env: { ...rig.env, PATH: `${join(rig.folder, 'bin')}:${rig.env['PATH']}` },
          encoding: 'utf8',
        });
        const candidates = stdout.split('\n').map((text) => text.split('\t')[0]);
        assert.ok(candidates.includes(words.split(' ').at(-1)!), stdout);
      });
    }
  });
});
